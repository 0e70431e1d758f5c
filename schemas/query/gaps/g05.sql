SELECT policy_domain, p, sp, np FROM policy_latest WHERE testing AND (p <> 'none' OR sp <> 'none' OR np <> 'none');
