SELECT policy_domain, p, pct FROM policy_latest WHERE pct < 100 AND p <> 'none';
