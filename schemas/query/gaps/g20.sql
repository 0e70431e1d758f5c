SELECT policy_domain, reporter, unnest(errors) AS error, max(end_at) AS last_seen
FROM report WHERE len(errors) > 0 GROUP BY ALL;
