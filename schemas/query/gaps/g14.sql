SELECT policy_domain, reporter, effective_policy, disposition, sum(messages) AS messages
FROM record_full
WHERE policy_domain IS NOT NULL AND NOT dmarc_pass AND len(coalesce(reasons, [])) = 0
  AND policy_rank(disposition) < policy_rank(effective_policy)
  -- Sampling and testing explain it.
  AND coalesce(pct, 100) >= 100 AND NOT coalesce(testing, false) AND {reports}
GROUP BY policy_domain, reporter, effective_policy, disposition HAVING sum(messages) > 0 ORDER BY messages DESC, 1, 2, 3;
