SELECT policy_domain, dkim_domain, selector, result, sum(messages) AS messages
FROM (
    -- A message with the same selector failing twice counts once.
    SELECT DISTINCT report_no, record_no, policy_domain, dkim_domain, lower(selector) AS selector, result, messages
    FROM dkim_results
    WHERE policy_domain IS NOT NULL AND dkim_domain_org = header_from_org
      AND result IN ('fail', 'permerror', 'temperror', 'neutral', 'policy') AND {reports}
)
GROUP BY policy_domain, dkim_domain, selector, result HAVING sum(messages) > 0 ORDER BY messages DESC, 1, 2, 3;
