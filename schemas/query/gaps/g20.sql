SELECT policy_domain, reporter, error, max(end_at) AS last_seen
FROM (SELECT policy_domain, reporter, end_at, unnest(errors) AS error FROM report) GROUP BY ALL;
