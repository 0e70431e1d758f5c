WITH changing AS (
    -- Most domains never change their policy: only those that do are looked at day by day.
    SELECT policy_domain FROM report WHERE policy_domain IS NOT NULL AND p IS NOT NULL AND {reports} GROUP BY policy_domain
    HAVING min(p) <> max(p) OR min(coalesce(sp, p)) <> max(coalesce(sp, p)) OR min(coalesce(pct, 100)) <> max(coalesce(pct, 100))
), modal AS (
    SELECT policy_domain, report_day, concat_ws('/', mode(p), mode(coalesce(sp, p)), coalesce(mode(pct), 100)) AS policy
    FROM report WHERE policy_domain IN (FROM changing) AND p IS NOT NULL AND {reports} GROUP BY policy_domain, report_day
), step AS (
    SELECT policy_domain, policy, lag(policy) OVER (PARTITION BY policy_domain ORDER BY report_day) AS previous FROM modal
)
SELECT policy_domain, count(*) FILTER (WHERE policy <> previous) AS changes, array_to_string(list_sort(list(DISTINCT policy)), ', ') AS policies
FROM step GROUP BY policy_domain HAVING changes >= 3 ORDER BY policy_domain;
