SELECT policy_domain, max(end_at) AS last_report FROM report
GROUP BY policy_domain HAVING last_report < current_date - INTERVAL 3 DAY;
