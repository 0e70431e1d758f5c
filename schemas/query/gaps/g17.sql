WITH modal AS (
    SELECT policy_domain, report_day, concat_ws('/', mode(p), mode(coalesce(sp, p)), coalesce(mode(pct), 100)) AS policy
    FROM report GROUP BY policy_domain, report_day
), step AS (
    SELECT policy_domain, policy, lag(policy) OVER (PARTITION BY policy_domain ORDER BY report_day) AS previous FROM modal
)
SELECT policy_domain, count(*) FILTER (WHERE policy <> previous) AS changes, list(DISTINCT policy) AS policies
FROM step GROUP BY policy_domain HAVING changes >= 3;
