SELECT policy_domain, p, reporters, end_at FROM policy_latest WHERE p = 'none';
