SELECT policy_domain, p, sp FROM policy_latest WHERE p <> 'reject' OR sp <> 'reject';
-- of these, the domains that the config marks with sends = false
