WITH days AS (
    SELECT DISTINCT policy_domain, report_day FROM report WHERE policy_domain IS NOT NULL AND report_day <= {as_of}
), steps AS (
    SELECT policy_domain, report_day - lag(report_day) OVER (PARTITION BY policy_domain ORDER BY report_day) AS step FROM days
), rhythm AS (
    -- A domain that is mentioned on some weekdays only is not silent between them.
    SELECT policy_domain, CASE WHEN count(step) >= 4 THEN quantile_disc(step, 0.9) ELSE 1 END AS step FROM steps GROUP BY policy_domain
)
SELECT r.policy_domain, max(r.end_at) AS last_report,
    floor(epoch({as_of}::TIMESTAMP - make_timestamp(epoch_us(max(r.end_at)))) / 86400)::BIGINT AS days_silent
FROM report r JOIN rhythm h ON h.policy_domain = r.policy_domain
WHERE r.report_day <= {as_of}
GROUP BY r.policy_domain, h.step HAVING days_silent >= greatest(3, h.step + 1);
-- and the domains of the config that the store has never seen
