SELECT policy_domain, spf_domain, result, count(DISTINCT lower(reporter)) AS reporters, sum(messages) AS messages
FROM spf_results
WHERE spf_domain_org = header_from_org AND result IN ('permerror', 'temperror') AND coalesce("scope", 'mfrom') <> 'helo'
GROUP BY policy_domain, spf_domain, result ORDER BY messages DESC, 1, 2, 3;
