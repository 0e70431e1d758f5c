-- The one scan of `delivery_life` behind a case and most summaries: the lives of a scope by everything that those tell
-- apart. {lives} is the condition of the scope on `delivery_life l`, {gateways} the gateways as an enum's words, which
-- group like numbers and are shown as themselves. Days are those of 1970 to 9999: a life of another time, which earlier
-- versions stored, counts on the nearest.
CREATE OR REPLACE TEMP TABLE route_gateway AS
SELECT route_no, gateway::ENUM ({gateways}) AS gateway FROM delivery_route;

CREATE OR REPLACE TEMP TABLE delivery_flow AS
SELECT * REPLACE (DATE '1970-01-01' + "day" AS "day") FROM (
    SELECT o.gateway, l.source, l.envelope_from, l.campaign, greatest(0, least(2932896, epoch_us(l.first_at) // 86400000000))::INTEGER AS "day", l.outcome,
        -- With a reputation deferral.
        l.reputation_deferrals > 0 AS affected,
        count(*) AS pairs,
        sum(l.attempts)::UBIGINT AS attempts,
        sum(l.deferrals)::UBIGINT AS deferrals,
        sum(l.reputation_deferrals)::UBIGINT AS reputation_deferrals,
        sum(l.suspended)::UBIGINT AS suspended
    FROM delivery_life l JOIN route_gateway o ON o.route_no = l.route
    WHERE {lives}
    GROUP BY ALL
);
