SELECT policy_domain, header_from, arg_max(effective_policy, (report_day, effective_policy)) AS effective_policy, sum(messages) AS messages
FROM record_full
WHERE header_from <> policy_domain
  AND header_from NOT IN (SELECT policy_domain FROM report WHERE policy_domain IS NOT NULL AND {of_any_domain})
  AND {reports}
GROUP BY policy_domain, header_from HAVING sum(messages) > 0 ORDER BY messages DESC, 1, 2;
