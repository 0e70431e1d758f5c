SELECT policy_domain, header_from, authenticated_as, sum(messages) AS messages
FROM (
    -- A message with two signatures of one domain counts once; one that DKIM and SPF both carry has a row of each.
    SELECT DISTINCT r.report_no, r.record_no, r.policy_domain, r.header_from, r.dkim_domain AS authenticated_as, r.messages
    FROM (FROM dkim_results WHERE policy_domain IS NOT NULL AND {reports}) r JOIN {policies} l ON l.policy_domain = r.policy_domain
    WHERE l.adkim = 's' AND r.result = 'pass' AND r.dkim_domain <> r.header_from
      AND r.dkim_domain_org = r.header_from_org AND NOT coalesce(r.dkim_aligned, false)
)
GROUP BY ALL HAVING sum(messages) > 0
UNION ALL
SELECT policy_domain, header_from, authenticated_as, sum(messages)
FROM (
    SELECT DISTINCT r.report_no, r.record_no, r.policy_domain, r.header_from, r.spf_domain AS authenticated_as, r.messages
    FROM (FROM spf_results WHERE policy_domain IS NOT NULL AND {reports}) r JOIN {policies} l ON l.policy_domain = r.policy_domain
    WHERE l.aspf = 's' AND r.result = 'pass' AND r.spf_domain <> r.header_from AND coalesce(r."scope", 'mfrom') <> 'helo'
      AND r.spf_domain_org = r.header_from_org AND NOT coalesce(r.spf_aligned, false)
)
GROUP BY ALL HAVING sum(messages) > 0;
