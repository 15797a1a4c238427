-- Ids begin with their time, so that new rows come at the right end of this index and stay in a few warm pages; with
-- the bucket first, each of a batch touched a page of its own. The bucket stays in the key, since a row that moves is
-- found by it.
ALTER TABLE orders.orders DROP CONSTRAINT orders_pkey, ADD PRIMARY KEY (order_id, bucket);
