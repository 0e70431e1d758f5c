WITH days AS (
    SELECT DISTINCT policy_domain, report_day FROM report WHERE policy_domain IS NOT NULL AND report_day <= {as_of} AND {ever}
), steps AS (
    SELECT policy_domain, report_day - lag(report_day) OVER (PARTITION BY policy_domain ORDER BY report_day) AS step FROM days
), rhythm AS (
    -- A domain that is mentioned on some weekdays only is not silent between them.
    SELECT policy_domain, CASE WHEN count(step) >= 4 THEN quantile_disc(step, 0.9) ELSE 1 END::BIGINT AS rhythm
    FROM steps GROUP BY policy_domain
), last AS (
    SELECT policy_domain, max(end_at) AS last_report,
        floor(epoch({as_of}::TIMESTAMP - make_timestamp(epoch_us(max(end_at)))) / 86400)::BIGINT AS days_silent
    FROM report WHERE report_day <= {as_of} AND {ever} GROUP BY policy_domain
)
SELECT policy_domain, last_report, days_silent, rhythm
FROM last JOIN rhythm USING (policy_domain)
WHERE days_silent >= greatest(3, rhythm + 1) AND NOT list_contains({parked}, policy_domain)
UNION ALL
-- The domains of the config that the store has never seen.
SELECT e.policy_domain, NULL, NULL, NULL FROM (SELECT unnest({expected}) AS policy_domain) e
WHERE e.policy_domain NOT IN (SELECT policy_domain FROM days)
ORDER BY policy_domain;
