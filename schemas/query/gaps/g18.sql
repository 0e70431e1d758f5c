SELECT policy_domain, p, sp FROM {policies}
-- The domains that the config marks with sends = false.
WHERE list_contains({parked}, policy_domain) AND (p IS DISTINCT FROM 'reject' OR sp IS DISTINCT FROM 'reject');
