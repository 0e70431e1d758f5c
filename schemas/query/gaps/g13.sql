SELECT policy_domain, list_transform(reasons, lambda o: o."type") AS types, sum(messages) AS messages
FROM record_full
WHERE policy_domain IS NOT NULL AND NOT dmarc_pass AND len(reasons) > 0 AND {reports}
GROUP BY policy_domain, types HAVING sum(messages) > 0 ORDER BY messages DESC, 1, 2;
