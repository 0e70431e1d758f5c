SELECT policy_domain, list_transform(reasons, lambda o: o."type") AS types, sum(messages) AS messages
FROM record_full
WHERE NOT dmarc_pass AND len(reasons) > 0
GROUP BY policy_domain, types ORDER BY messages DESC, 1, 2, 3;
