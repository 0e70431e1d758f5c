SELECT r.policy_domain, r.header_from, r.dkim_domain AS authenticated_as, sum(r.messages) AS messages
FROM (FROM dkim_results WHERE policy_domain IS NOT NULL AND {reports}) r JOIN {policies} l ON l.policy_domain = r.policy_domain
WHERE l.adkim = 's' AND r.result = 'pass' AND r.dkim_domain <> r.header_from
  AND r.dkim_domain_org = r.header_from_org AND NOT coalesce(r.dkim_aligned, false)
GROUP BY ALL HAVING sum(r.messages) > 0
UNION ALL
SELECT r.policy_domain, r.header_from, r.spf_domain, sum(r.messages)
FROM (FROM spf_results WHERE policy_domain IS NOT NULL AND {reports}) r JOIN {policies} l ON l.policy_domain = r.policy_domain
WHERE l.aspf = 's' AND r.result = 'pass' AND r.spf_domain <> r.header_from AND coalesce(r."scope", 'mfrom') <> 'helo'
  AND r.spf_domain_org = r.header_from_org AND NOT coalesce(r.spf_aligned, false)
GROUP BY ALL HAVING sum(r.messages) > 0;
