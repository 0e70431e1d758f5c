SELECT policy_domain, sender, sum(messages) AS messages, sum(messages) FILTER (WHERE NOT dmarc_pass) AS failing
FROM record_full
WHERE spf_raw_pass AND NOT coalesce(spf_aligned, false)
GROUP BY policy_domain, sender ORDER BY messages DESC, 1, 2, 3;
