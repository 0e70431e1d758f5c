WITH reporters AS (
    SELECT policy_domain, arg_max(reporter, (end_at, reporter)) AS reporter, count(DISTINCT report_day) AS days,
        max(end_at) AS last_report, coalesce(sum(messages), 0) AS messages,
        days >= 5 AND make_timestamp(epoch_us(max(end_at))) <= {as_of}::TIMESTAMP - INTERVAL 5 DAY AS silent
    FROM report
    WHERE policy_domain IS NOT NULL AND report_day > {as_of} - 30 AND report_day <= {as_of} AND {ever}
    GROUP BY policy_domain, lower(reporter)
), missed AS (
    SELECT policy_domain, reporter, days, last_report, messages, of_all
    FROM (
        SELECT *, sum(messages) OVER (PARTITION BY policy_domain) AS of_all, bool_and(silent) OVER (PARTITION BY policy_domain) AS all_silent
        FROM reporters WHERE last_report IS NOT NULL
    )
    -- All of them silent is G15, not a change of reporters.
    WHERE silent AND NOT all_silent
), awaited AS (
    -- Reporters that the config expects, of the domains that have reports.
    SELECT unnest({awaited_domains}) AS policy_domain, unnest({awaited_reporters}) AS reporter
), held AS (
    SELECT policy_domain, lower(reporter) AS reporter, max(coalesce(end_at, begin_at)) AS last_report,
        make_timestamp(epoch_us(max(coalesce(end_at, begin_at)))) <= {as_of}::TIMESTAMP - INTERVAL 5 DAY AS silent
    FROM report
    WHERE policy_domain IN (SELECT policy_domain FROM awaited) AND report_day <= {as_of} AND {ever}
    GROUP BY policy_domain, lower(reporter)
)
SELECT policy_domain, reporter, days, last_report, messages, of_all FROM missed
UNION ALL
SELECT a.policy_domain, a.reporter, NULL, h.last_report, NULL, NULL
FROM awaited a LEFT JOIN held h ON h.policy_domain = a.policy_domain AND h.reporter = lower(trim(a.reporter))
WHERE a.policy_domain IN (SELECT policy_domain FROM held)
    AND NOT EXISTS (FROM missed m WHERE m.policy_domain = a.policy_domain AND lower(m.reporter) = lower(trim(a.reporter)))
    AND (h.last_report IS NULL OR h.silent AND EXISTS (FROM held o WHERE o.policy_domain = a.policy_domain AND NOT o.silent))
ORDER BY policy_domain, messages DESC NULLS FIRST, reporter;
