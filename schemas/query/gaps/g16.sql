SELECT policy_domain, any_value(reporter) AS reporter, count(DISTINCT report_day) AS days, max(end_at) AS last_report, sum(messages) AS messages
FROM report
WHERE end_at >= current_date - INTERVAL 30 DAY
GROUP BY policy_domain, lower(reporter)
HAVING days >= 5 AND last_report < current_date - INTERVAL 4 DAY;
