SELECT policy_domain, reporter, effective_policy, disposition, sum(messages) AS messages
FROM record_full
WHERE NOT dmarc_pass AND len(coalesce(reasons, [])) = 0
  AND policy_rank(disposition) < policy_rank(effective_policy)
  AND coalesce(pct, 100) = 100 AND NOT coalesce(testing, false)
GROUP BY policy_domain, reporter, effective_policy, disposition ORDER BY messages DESC, 1, 2, 3;
