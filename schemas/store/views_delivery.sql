-- Views of delivery evidence, in the words of the documentation.

CREATE OR REPLACE MACRO delivery_status(number) AS CASE number WHEN 0 THEN 'delivered' WHEN 1 THEN 'deferred' WHEN 2 THEN 'bounced'
    WHEN 3 THEN 'expired' WHEN 4 THEN 'dropped' WHEN 5 THEN 'suspended' END;
CREATE OR REPLACE MACRO delivery_outcome(number) AS CASE number WHEN 0 THEN 'delivered' WHEN 1 THEN 'delivered-after-deferral'
    WHEN 2 THEN 'expired' WHEN 3 THEN 'bounced' WHEN 4 THEN 'dropped' WHEN 5 THEN 'open' END;
-- The fixed parts of a response and what varies between them, put together again.
CREATE OR REPLACE MACRO delivery_words(parts, vars) AS
    array_to_string(list_transform(list_zip(parts, string_split(vars, chr(31))), lambda pair: pair[1] || coalesce(pair[2], '')), '');

CREATE OR REPLACE VIEW delivery_attempt AS
SELECT l.attempt_at AS attempt_time, e.message_id, e.queue_id, s."text" AS "system", f."text" AS envelope_from,
    coalesce(p.address, format('{:016x}', l.recipient_key) || '@' || d."text") AS recipient, d."text" AS recipient_domain,
    a."text" AS source_ip, CASE l.source_from WHEN 1 THEN 'log' WHEN 2 THEN 'response' WHEN 3 THEN 'operator' END AS source_ip_from,
    h."text" AS relay_host, delivery_status(l.status) AS status, l.status IN (0, 1, 2) AS attempted,
    r.smtp_code, r.enhanced_code, r.stage, CASE WHEN l.vars IS NULL THEN array_to_string(r.parts, '') ELSE delivery_words(r.parts, l.vars) END AS response,
    r.shape AS response_shape, l.retry_no, c."text" AS campaign, l.internal, n.path AS "file", l.line, l.message_key, l.recipient_key,
    l.attempt_key
FROM delivery_line l
LEFT JOIN delivery_envelope e ON e.message_key = l.message_key
LEFT JOIN delivery_response r ON r.response_no = l.response
LEFT JOIN delivery_text d ON d.text_no = l.recipient_domain
LEFT JOIN delivery_text a ON a.text_no = l.source
LEFT JOIN delivery_text h ON h.text_no = l.relay
LEFT JOIN delivery_text s ON s.text_no = e."system"
LEFT JOIN delivery_text f ON f.text_no = e.envelope_from
LEFT JOIN delivery_text c ON c.text_no = e.campaign
LEFT JOIN delivery_recipient p ON p.recipient_key = l.recipient_key
LEFT JOIN delivery_file n ON n.file_no = l."file";
COMMENT ON VIEW delivery_attempt IS 'One row per line or event that matters: one attempt of one message to one recipient.';
COMMENT ON COLUMN delivery_attempt.attempt_time IS 'When, UTC.';
COMMENT ON COLUMN delivery_attempt.message_id IS 'Message-ID without brackets; NULL where no line says it.';
COMMENT ON COLUMN delivery_attempt.queue_id IS 'Queue id, or the platform''s id of the message.';
COMMENT ON COLUMN delivery_attempt.system IS 'Log host and instance, or the platform.';
COMMENT ON COLUMN delivery_attempt.envelope_from IS 'Domain of the envelope sender; NULL where not said.';
COMMENT ON COLUMN delivery_attempt.recipient IS 'Keyed hash of the address, an @ and the domain; the address where it is kept.';
COMMENT ON COLUMN delivery_attempt.recipient_domain IS 'Domain of the recipient, lower case, A-labels.';
COMMENT ON COLUMN delivery_attempt.source_ip IS 'Sending address; NULL where unknown.';
COMMENT ON COLUMN delivery_attempt.source_ip_from IS 'How it is known: log, response or operator.';
COMMENT ON COLUMN delivery_attempt.relay_host IS 'Host that was asked.';
COMMENT ON COLUMN delivery_attempt.status IS 'delivered, deferred, bounced, expired, dropped or suspended.';
COMMENT ON COLUMN delivery_attempt.attempted IS 'The other side was really asked.';
COMMENT ON COLUMN delivery_attempt.smtp_code IS 'First [245]dd of the reply; NULL where there was no reply.';
COMMENT ON COLUMN delivery_attempt.enhanced_code IS 'Enhanced code (RFC 3463).';
COMMENT ON COLUMN delivery_attempt.stage IS 'Where in the conversation; NULL where not said.';
COMMENT ON COLUMN delivery_attempt.response IS 'The reply, verbatim but for hashed local parts, or why there was none.';
COMMENT ON COLUMN delivery_attempt.response_shape IS 'The response with its numbers, addresses, hosts and ids taken out.';
COMMENT ON COLUMN delivery_attempt.retry_no IS 'Retry number as the log gives it; NULL where it does not.';
COMMENT ON COLUMN delivery_attempt.campaign IS 'Campaign, category or tag.';
COMMENT ON COLUMN delivery_attempt.internal IS 'The next hop is one''s own.';
COMMENT ON COLUMN delivery_attempt.file IS 'File that the line stands in.';
COMMENT ON COLUMN delivery_attempt.line IS 'Its number there, from 1.';
COMMENT ON COLUMN delivery_attempt.message_key IS 'Identity of the message.';
COMMENT ON COLUMN delivery_attempt.recipient_key IS 'Identity of the recipient.';
COMMENT ON COLUMN delivery_attempt.attempt_key IS 'Identity of the attempt.';

CREATE OR REPLACE VIEW delivery_message AS
SELECT coalesce(e.message_id, e.queue_id) AS message_id,
    CASE e.id_kind WHEN 1 THEN 'header' WHEN 2 THEN 'provider' ELSE 'queue' END AS id_kind, e.queue_id, s."text" AS "system",
    f."text" AS envelope_from, coalesce(p.address, format('{:016x}', l.recipient_key) || '@' || d."text") AS recipient,
    d."text" AS recipient_domain, o.gateway, a."text" AS source_ip, c."text" AS campaign, l.first_at AS first_attempt,
    l.last_at AS last_attempt, l.attempts, l.deferrals, l.reputation_deferrals, l.suspended, delivery_outcome(l.outcome) AS outcome,
    l.first_deferral_at AS first_deferral, r.shape AS first_deferral_shape, r.smtp_code AS first_deferral_code, l.final_at,
    CASE WHEN l.outcome IN (0, 1) THEN epoch_us(l.final_at) // 1000000 - epoch_us(l.first_at) // 1000000 END AS delay_s, l.internal,
    l.message_key, l.recipient_key
FROM delivery_life l
LEFT JOIN delivery_envelope e ON e.message_key = l.message_key
LEFT JOIN delivery_route o ON o.route_no = l.route
LEFT JOIN delivery_response r ON r.response_no = l.first_deferral
LEFT JOIN delivery_text d ON d.text_no = l.recipient_domain
LEFT JOIN delivery_text a ON a.text_no = l.source
LEFT JOIN delivery_text s ON s.text_no = e."system"
LEFT JOIN delivery_text f ON f.text_no = l.envelope_from
LEFT JOIN delivery_text c ON c.text_no = l.campaign
LEFT JOIN delivery_recipient p ON p.recipient_key = l.recipient_key;
COMMENT ON VIEW delivery_message IS 'The life of one message to one recipient: attempts, first deferral, outcome, delay.';
COMMENT ON COLUMN delivery_message.message_id IS 'Message-ID without brackets, else the queue id or the platform''s id.';
COMMENT ON COLUMN delivery_message.id_kind IS 'Which of them: header, queue or provider.';
COMMENT ON COLUMN delivery_message.queue_id IS 'Queue id, or the platform''s id of the message.';
COMMENT ON COLUMN delivery_message.system IS 'Log host and instance, or the platform.';
COMMENT ON COLUMN delivery_message.envelope_from IS 'Domain of the envelope sender; NULL where not said.';
COMMENT ON COLUMN delivery_message.recipient IS 'Keyed hash of the address, an @ and the domain; the address where it is kept.';
COMMENT ON COLUMN delivery_message.recipient_domain IS 'Domain of the recipient.';
COMMENT ON COLUMN delivery_message.gateway IS 'Gateway in front of it: by its words, else by the host, else by other routes of the domain, else unknown.';
COMMENT ON COLUMN delivery_message.source_ip IS 'Sending address; NULL where unknown.';
COMMENT ON COLUMN delivery_message.campaign IS 'Campaign, category or tag.';
COMMENT ON COLUMN delivery_message.first_attempt IS 'First attempt, else first line, UTC.';
COMMENT ON COLUMN delivery_message.last_attempt IS 'Last line, UTC.';
COMMENT ON COLUMN delivery_message.attempts IS 'Real attempts.';
COMMENT ON COLUMN delivery_message.deferrals IS 'Deferrals of any kind.';
COMMENT ON COLUMN delivery_message.reputation_deferrals IS 'Deferrals whose response is the gateway''s reputation answer.';
COMMENT ON COLUMN delivery_message.suspended IS 'Lines where the queue put the message off without trying.';
COMMENT ON COLUMN delivery_message.outcome IS 'delivered, delivered-after-deferral, expired, bounced, dropped or open.';
COMMENT ON COLUMN delivery_message.first_deferral IS 'First deferral, UTC.';
COMMENT ON COLUMN delivery_message.first_deferral_shape IS 'Shape of its response.';
COMMENT ON COLUMN delivery_message.first_deferral_code IS 'SMTP code of its response.';
COMMENT ON COLUMN delivery_message.final_at IS 'When the outcome came, UTC; NULL while open.';
COMMENT ON COLUMN delivery_message.delay_s IS 'Seconds from the first attempt to the delivery; NULL where not delivered.';
COMMENT ON COLUMN delivery_message.internal IS 'All its attempts went to one''s own next hop.';
COMMENT ON COLUMN delivery_message.message_key IS 'Identity of the message.';
COMMENT ON COLUMN delivery_message.recipient_key IS 'Identity of the recipient.';

CREATE OR REPLACE VIEW attempts AS
SELECT a.*, m.gateway, m.outcome, m.first_attempt
FROM delivery_attempt a
LEFT JOIN delivery_message m ON m.message_key = a.message_key AND m.recipient_key = a.recipient_key;
COMMENT ON VIEW attempts IS 'The flat picture of delivery: the columns of delivery_attempt, with the gateway and what became of the message.';
COMMENT ON COLUMN attempts.gateway IS 'Gateway in front of the recipient domain.';
COMMENT ON COLUMN attempts.outcome IS 'What became of the message for that recipient.';
COMMENT ON COLUMN attempts.first_attempt IS 'Its first attempt, UTC.';
