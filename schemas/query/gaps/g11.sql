SELECT policy_domain, spf_domain, result, count(DISTINCT lower(reporter)) AS reporters, sum(messages) AS messages
FROM (
    -- A record may say the same twice.
    SELECT DISTINCT report_no, record_no, policy_domain, spf_domain, result, reporter, messages
    FROM spf_results
    WHERE policy_domain IS NOT NULL AND spf_domain_org = header_from_org AND result IN ('permerror', 'temperror')
      AND coalesce("scope", 'mfrom') <> 'helo' AND stream IN (SELECT stream_no FROM stream WHERE own_spf = 'fail') AND {reports}
)
GROUP BY policy_domain, spf_domain, result HAVING sum(messages) > 0 ORDER BY messages DESC, 1, 2, 3;
