SELECT policy_domain, arg_max(reporter, (end_at, reporter)) AS reporter, count(DISTINCT report_day) AS days, max(end_at) AS last_report, sum(messages) AS messages
FROM report
WHERE report_day > {as_of} - 30 AND report_day <= {as_of}
GROUP BY policy_domain, lower(reporter)
HAVING days >= 5 AND make_timestamp(epoch_us(max(end_at))) <= {as_of}::TIMESTAMP - INTERVAL 5 DAY;
-- and the reporters that the config expects for a domain, which never came or are silent that long
