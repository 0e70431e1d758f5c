SELECT policy_domain, sender, sum(messages) AS messages
FROM record_full
WHERE dkim_raw_pass AND NOT coalesce(dkim_aligned, false)
GROUP BY policy_domain, sender ORDER BY messages DESC, 1, 2, 3;
