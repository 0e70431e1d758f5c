SELECT policy_domain, dkim_domain, selector, result, sum(messages) AS messages
FROM dkim_results
WHERE dkim_domain_org = header_from_org AND result IN ('fail', 'permerror', 'temperror', 'neutral', 'policy')
GROUP BY policy_domain, dkim_domain, selector, result ORDER BY messages DESC, 1, 2, 3;
