SELECT policy_domain, min(reporter) AS reporter, error, max(report_day) AS last_day
FROM (
    SELECT policy_domain, reporter, report_day, unnest(errors) AS error
    FROM report WHERE policy_domain IS NOT NULL AND len(errors) > 0 AND {reports}
)
GROUP BY policy_domain, lower(reporter), error ORDER BY policy_domain, last_day DESC, reporter, error;
