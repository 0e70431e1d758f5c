SELECT policy_domain, list_transform(reasons, o -> o."type") AS types, sum(messages) AS messages
FROM record_full
WHERE NOT dmarc_pass AND len(reasons) > 0
  AND NOT list_bool_and(list_transform(reasons, o -> coalesce(o."type", '') IN ('sampled_out', 'policy_test_mode')))
GROUP BY policy_domain, types ORDER BY messages DESC;
