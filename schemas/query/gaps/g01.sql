SELECT policy_domain, p, reporters, end_at FROM {policies} WHERE p = 'none';
