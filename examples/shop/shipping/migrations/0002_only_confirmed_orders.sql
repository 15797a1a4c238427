-- Shipping no longer prepares orders that may yet be rejected: a confirmed order says all that it takes to ship it.
DELETE FROM shipping.shipment WHERE state <> 'dispatched';
UPDATE shipping.shipment SET recipient = 'unknown' WHERE recipient IS NULL;
ALTER TABLE shipping.shipment
  DROP COLUMN state,
  ALTER COLUMN recipient SET NOT NULL,
  ALTER COLUMN tracking_number SET NOT NULL,
  RESET (fillfactor);
