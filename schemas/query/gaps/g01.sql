SELECT policy_domain, p, reporter, end_at FROM policy_latest WHERE p = 'none';
