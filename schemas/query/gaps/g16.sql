WITH reporters AS (
    SELECT policy_domain, arg_max(reporter, (end_at, reporter)) AS reporter, count(DISTINCT report_day) AS days,
        max(end_at) AS last_report, coalesce(sum(messages), 0) AS messages,
        days >= 5 AND make_timestamp(epoch_us(max(end_at))) <= {as_of}::TIMESTAMP - INTERVAL 5 DAY AS silent
    FROM report
    WHERE policy_domain IS NOT NULL AND report_day > {as_of} - 30 AND report_day <= {as_of} AND {ever}
    GROUP BY policy_domain, lower(reporter)
)
SELECT policy_domain, reporter, days, last_report, messages, of_all
FROM (
    SELECT *, sum(messages) OVER (PARTITION BY policy_domain) AS of_all, bool_and(silent) OVER (PARTITION BY policy_domain) AS all_silent
    FROM reporters WHERE last_report IS NOT NULL
)
-- All of them silent is G15, not a change of reporters.
WHERE silent AND NOT all_silent
ORDER BY policy_domain, messages DESC, reporter;
