BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0016');
CREATE TABLE class_list (
	id INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_class_list PRIMARY KEY (id)
);
INSERT INTO "class_list" VALUES(1,1772366400000000);
CREATE TABLE class_list_entry (
	class_list_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	class_id INTEGER NOT NULL, 
	templates JSON NOT NULL, name TEXT, "key" TEXT, colour TEXT, description TEXT, place INTEGER, examples JSON, retired BOOLEAN DEFAULT 0 NOT NULL, into_id INTEGER, 
	CONSTRAINT pk_class_list_entry PRIMARY KEY (class_list_id, position), 
	CONSTRAINT fk_class_list_entry_class_id FOREIGN KEY(class_id) REFERENCES label_class (id), 
	CONSTRAINT fk_class_list_entry_class_list_id FOREIGN KEY(class_list_id) REFERENCES class_list (id), 
	CONSTRAINT uq_class_list_entry_class_list_id_class_id UNIQUE (class_list_id, class_id)
);
INSERT INTO "class_list_entry" VALUES(1,0,1,'["a photo of a {}."]',NULL,NULL,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "class_list_entry" VALUES(1,1,2,'["a photo of a {}."]',NULL,NULL,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "class_list_entry" VALUES(1,2,3,'["a photo of a {}."]',NULL,NULL,NULL,NULL,NULL,NULL,0,NULL);
CREATE TABLE encoder (
	id TEXT NOT NULL, 
	spec TEXT NOT NULL, 
	CONSTRAINT pk_encoder PRIMARY KEY (id)
);
INSERT INTO "encoder" VALUES('ffffffffffffffff','features:toy');
CREATE TABLE image (
	id INTEGER NOT NULL, 
	hash TEXT NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	bytes BIGINT NOT NULL, 
	width INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	CONSTRAINT pk_image PRIMARY KEY (id), 
	CONSTRAINT ck_image_sizes CHECK (bytes >= 0 AND width >= 0 AND height >= 0), 
	CONSTRAINT ck_image_hash_is_sha256 CHECK (length(hash) = 64), 
	CONSTRAINT uq_image_hash UNIQUE (hash), 
	CONSTRAINT ck_image_role CHECK (role IN ('pool', 'audit'))
);
INSERT INTO "image" VALUES(1,'0000000000000000000000000000000000000000000000000000000000000001','pool',101,32,24);
INSERT INTO "image" VALUES(2,'0000000000000000000000000000000000000000000000000000000000000002','pool',102,32,24);
INSERT INTO "image" VALUES(3,'0000000000000000000000000000000000000000000000000000000000000003','pool',103,32,24);
INSERT INTO "image" VALUES(4,'0000000000000000000000000000000000000000000000000000000000000004','pool',104,32,24);
INSERT INTO "image" VALUES(5,'0000000000000000000000000000000000000000000000000000000000000005','pool',105,32,24);
INSERT INTO "image" VALUES(6,'0000000000000000000000000000000000000000000000000000000000000006','pool',106,32,24);
INSERT INTO "image" VALUES(7,'0000000000000000000000000000000000000000000000000000000000000007','audit',107,32,24);
INSERT INTO "image" VALUES(8,'0000000000000000000000000000000000000000000000000000000000000008','audit',108,32,24);
CREATE TABLE image_path (
	id INTEGER NOT NULL, 
	image_id INTEGER NOT NULL, 
	root_id INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	name TEXT NOT NULL, modified_ns BIGINT, 
	CONSTRAINT pk_image_path PRIMARY KEY (id), 
	CONSTRAINT fk_image_path_image_id FOREIGN KEY(image_id) REFERENCES image (id), 
	CONSTRAINT fk_image_path_root_id FOREIGN KEY(root_id) REFERENCES image_root (id), 
	CONSTRAINT uq_image_path_root_id_path_image_id UNIQUE (root_id, path, image_id)
);
INSERT INTO "image_path" VALUES(1,1,1,'été/1.png','1.png',NULL);
INSERT INTO "image_path" VALUES(2,2,1,'été/2.png','2.png',NULL);
INSERT INTO "image_path" VALUES(3,3,1,'été/3.png','3.png',NULL);
INSERT INTO "image_path" VALUES(4,4,1,'été/4.png','4.png',NULL);
INSERT INTO "image_path" VALUES(5,5,1,'été/5.png','5.png',NULL);
INSERT INTO "image_path" VALUES(6,6,1,'été/6.png','6.png',NULL);
INSERT INTO "image_path" VALUES(7,7,2,'7.png','7.png',NULL);
INSERT INTO "image_path" VALUES(8,8,2,'8.png','8.png',NULL);
CREATE TABLE image_root (
	id INTEGER NOT NULL, 
	root TEXT NOT NULL, 
	CONSTRAINT pk_image_root PRIMARY KEY (id), 
	CONSTRAINT uq_image_root_root UNIQUE (root)
);
INSERT INTO "image_root" VALUES(1,'/photos');
INSERT INTO "image_root" VALUES(2,'images');
CREATE TABLE "item" (
	id INTEGER NOT NULL, 
	round_id INTEGER NOT NULL, 
	image_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	score DOUBLE, 
	suggested_class_id INTEGER, 
	suggested_probability DOUBLE, 
	probability DOUBLE, 
	wanted INTEGER DEFAULT 1 NOT NULL, 
	blind BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_item PRIMARY KEY (id), 
	CONSTRAINT fk_item_round_id FOREIGN KEY(round_id) REFERENCES round (id), 
	CONSTRAINT uq_item_round_id_image_id UNIQUE (round_id, image_id), 
	CONSTRAINT fk_item_image_id FOREIGN KEY(image_id) REFERENCES image (id), 
	CONSTRAINT ck_item_suggestion CHECK ((suggested_class_id IS NULL) = (suggested_probability IS NULL)), 
	CONSTRAINT uq_item_id_image_id UNIQUE (id, image_id), 
	CONSTRAINT uq_item_round_id_position UNIQUE (round_id, position), 
	CONSTRAINT fk_item_suggested_class_id FOREIGN KEY(suggested_class_id) REFERENCES label_class (id), 
	CONSTRAINT ck_item_wanted CHECK (wanted >= 1)
);
INSERT INTO "item" VALUES(1,1,1,0,0.125,2,0.75,NULL,1,0);
INSERT INTO "item" VALUES(2,1,2,1,0.25,2,0.75,NULL,1,0);
INSERT INTO "item" VALUES(3,1,3,2,0.375,2,0.75,NULL,1,0);
INSERT INTO "item" VALUES(4,2,4,0,0.5,2,0.75,NULL,1,0);
INSERT INTO "item" VALUES(5,2,5,1,0.625,2,0.75,NULL,1,0);
CREATE TABLE "job" (
	id INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	title TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	step TEXT NOT NULL, 
	done BIGINT NOT NULL, 
	total BIGINT NOT NULL, 
	asked_by TEXT NOT NULL, 
	job_order JSON NOT NULL, 
	host TEXT NOT NULL, 
	pid BIGINT NOT NULL, 
	process_token TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	cancel_asked BOOLEAN NOT NULL, 
	queued_at BIGINT NOT NULL, 
	started_at BIGINT, 
	heartbeat_at BIGINT NOT NULL, 
	finished_at BIGINT, 
	reason TEXT NOT NULL, 
	CONSTRAINT pk_job PRIMARY KEY (id), 
	CONSTRAINT ck_job_progress CHECK (done >= 0 AND total >= 0), 
	CONSTRAINT ck_job_finished_at CHECK ((state IN ('queued', 'running')) = (finished_at IS NULL)), 
	CONSTRAINT ck_job_jobstate CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')), 
	CONSTRAINT ck_job_jobkind CHECK (kind IN ('learn', 'rank', 'prepare', 'score', 'group'))
);
CREATE TABLE label (
	id INTEGER NOT NULL, 
	event_id TEXT NOT NULL, 
	image_id INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	class_id INTEGER, 
	annotator TEXT NOT NULL, 
	item_id INTEGER, 
	recorded_at BIGINT NOT NULL, 
	duration_ms BIGINT, 
	suggested_class_id INTEGER, 
	source TEXT NOT NULL, late VARCHAR(16) CONSTRAINT ck_label_late CHECK (late IN ('answered', 'closed')), 
	CONSTRAINT pk_label PRIMARY KEY (id), 
	CONSTRAINT ck_label_class_given CHECK ((kind = 'class') = (class_id IS NOT NULL)), 
	CONSTRAINT ck_label_duration CHECK (duration_ms >= 0), 
	CONSTRAINT fk_label_class_id FOREIGN KEY(class_id) REFERENCES label_class (id), 
	CONSTRAINT fk_label_image_id FOREIGN KEY(image_id) REFERENCES image (id), 
	CONSTRAINT fk_label_item_id FOREIGN KEY(item_id, image_id) REFERENCES item (id, image_id), 
	CONSTRAINT fk_label_suggested_class_id FOREIGN KEY(suggested_class_id) REFERENCES label_class (id), 
	CONSTRAINT uq_label_event_id UNIQUE (event_id), 
	CONSTRAINT ck_label_answerkind CHECK (kind IN ('class', 'skip', 'cannot_tell'))
);
INSERT INTO "label" VALUES(1,'audit',7,'class',3,'file',NULL,1772366400000000,NULL,NULL,'browser',NULL);
INSERT INTO "label" VALUES(2,'a0',1,'class',1,'ann',1,1772366400000000,1500,2,'browser',NULL);
INSERT INTO "label" VALUES(3,'a1',2,'class',2,'ann',2,1772366460000000,1501,2,'browser',NULL);
INSERT INTO "label" VALUES(4,'a2',3,'class',3,'ann',3,1772366520000000,1502,2,'browser',NULL);
INSERT INTO "label" VALUES(5,'b0',1,'cannot_tell',NULL,'bob',1,1772366640000000,NULL,NULL,'browser',NULL);
INSERT INTO "label" VALUES(6,'b1',4,'skip',NULL,'bob',4,1772366940000000,NULL,NULL,'browser',NULL);
INSERT INTO "label" VALUES(7,'b2',6,'class',2,'bob',NULL,1772367000000000,NULL,NULL,'browser',NULL);
CREATE TABLE label_class (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	CONSTRAINT pk_label_class PRIMARY KEY (id), 
	CONSTRAINT uq_label_class_name UNIQUE (name)
);
INSERT INTO "label_class" VALUES(1,'cat');
INSERT INTO "label_class" VALUES(2,'dog');
INSERT INTO "label_class" VALUES(3,'owl');
CREATE TABLE label_origin (
	label_id INTEGER NOT NULL, 
	round BIGINT, 
	position BIGINT, 
	strategy TEXT, 
	score DOUBLE, 
	draw_probability DOUBLE, 
	suggestion TEXT, 
	suggestion_probability DOUBLE, 
	calibration TEXT, 
	class_list BIGINT, 
	posterior BIGINT, 
	learner BIGINT, 
	project TEXT, 
	CONSTRAINT pk_label_origin PRIMARY KEY (label_id), 
	CONSTRAINT fk_label_origin_label_id FOREIGN KEY(label_id) REFERENCES label (id)
);
CREATE TABLE label_retraction (
	id INTEGER NOT NULL, 
	event_id TEXT NOT NULL, 
	label_id INTEGER NOT NULL, 
	annotator TEXT NOT NULL, 
	recorded_at BIGINT NOT NULL, 
	CONSTRAINT pk_label_retraction PRIMARY KEY (id), 
	CONSTRAINT fk_label_retraction_label_id FOREIGN KEY(label_id) REFERENCES label (id), 
	CONSTRAINT uq_label_retraction_event_id UNIQUE (event_id), 
	CONSTRAINT uq_label_retraction_label_id UNIQUE (label_id)
);
INSERT INTO "label_retraction" VALUES(1,'undo-1',2,'ann',1772366580000000);
INSERT INTO "label_retraction" VALUES(2,'undo-2',7,'bob',1772367060000000);
CREATE TABLE learner (
	id INTEGER NOT NULL, 
	round_id INTEGER NOT NULL, 
	posterior_id INTEGER NOT NULL, 
	class_list_id INTEGER NOT NULL, 
	file TEXT NOT NULL, 
	labels INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	settings JSON NOT NULL, ahead BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_learner PRIMARY KEY (id), 
	CONSTRAINT fk_learner_class_list_id FOREIGN KEY(class_list_id) REFERENCES class_list (id), 
	CONSTRAINT fk_learner_posterior_id FOREIGN KEY(posterior_id) REFERENCES posterior (id), 
	CONSTRAINT fk_learner_round_id FOREIGN KEY(round_id) REFERENCES round (id)
);
INSERT INTO "learner" VALUES(1,1,1,1,'learners/1.safetensors',3,1772366760000000,'{"ridge": 0.1}',0);
CREATE TABLE lease (
	item_id INTEGER NOT NULL, 
	annotator TEXT NOT NULL, 
	tab TEXT, 
	token TEXT NOT NULL, 
	since BIGINT NOT NULL, 
	until BIGINT NOT NULL, 
	CONSTRAINT pk_lease PRIMARY KEY (item_id, annotator), 
	CONSTRAINT ck_lease_length CHECK (since < until), 
	CONSTRAINT fk_lease_item_id FOREIGN KEY(item_id) REFERENCES item (id), 
	CONSTRAINT uq_lease_token UNIQUE (token)
);
INSERT INTO "lease" VALUES(4,'bob',NULL,'79zSa77slN8bqUv6WG6ngJTUSN7KmhWt',1772366880000000,1772367180000000);
INSERT INTO "lease" VALUES(5,'bob',NULL,'iwfa60FSGBjF8WE_wc06F1W_4xc9hl1w',1772366880000000,1772367180000000);
CREATE TABLE metric (
	id INTEGER NOT NULL, 
	round_number INTEGER NOT NULL, 
	learner_id INTEGER, 
	labels INTEGER NOT NULL, 
	audit_images INTEGER NOT NULL, 
	figures JSON NOT NULL, 
	measured_at BIGINT NOT NULL, 
	CONSTRAINT pk_metric PRIMARY KEY (id), 
	CONSTRAINT fk_metric_learner_id FOREIGN KEY(learner_id) REFERENCES learner (id)
);
INSERT INTO "metric" VALUES(1,1,1,3,1,'{"accuracy": 0.5}',1772366820000000);
CREATE TABLE person (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	active BOOLEAN NOT NULL, 
	password_hash TEXT, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_person PRIMARY KEY (id), 
	CONSTRAINT uq_person_key UNIQUE ("key"), 
	CONSTRAINT ck_person_personrole CHECK (role IN ('annotator', 'reviewer', 'manager'))
);
CREATE TABLE posterior (
	id INTEGER NOT NULL, 
	encoder_id TEXT NOT NULL, 
	file TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	provenance JSON NOT NULL, 
	CONSTRAINT pk_posterior PRIMARY KEY (id), 
	CONSTRAINT fk_posterior_encoder_id FOREIGN KEY(encoder_id) REFERENCES encoder (id)
);
INSERT INTO "posterior" VALUES(1,'ffffffffffffffff','posteriors/one.safetensors',1772366400000000,'{"n": 5}');
CREATE TABLE prepared_round (
	id INTEGER NOT NULL, 
	after_round_id INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	learner JSON NOT NULL, 
	batch JSON NOT NULL, 
	CONSTRAINT pk_prepared_round PRIMARY KEY (id), 
	CONSTRAINT ck_prepared_round_one_row CHECK (id = 1), 
	CONSTRAINT fk_prepared_round_after_round_id FOREIGN KEY(after_round_id) REFERENCES round (id)
);
CREATE TABLE project (
	id INTEGER NOT NULL, 
	settings JSON NOT NULL, 
	encoder_id TEXT, 
	CONSTRAINT pk_project PRIMARY KEY (id), 
	CONSTRAINT ck_project_one_row CHECK (id = 1), 
	CONSTRAINT fk_project_encoder_id FOREIGN KEY(encoder_id) REFERENCES encoder (id)
);
INSERT INTO "project" VALUES(1,'{"name": "animals", "encoder": "bundled", "strategy": "coverage", "batch_size": 10, "seed": 7, "goal": "balanced", "adaptation": "pool-taught", "label_free_calibration": "none", "white_point": null, "prepare_at": null, "overlap": 1, "overlap_share": 1.0, "blind_share": 0.0, "late_answers": "keep", "consensus": "proportions"}','ffffffffffffffff');
CREATE TABLE quarantined_file (
	id INTEGER NOT NULL, 
	root_id INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	code VARCHAR(16) NOT NULL, 
	detail TEXT NOT NULL, 
	CONSTRAINT pk_quarantined_file PRIMARY KEY (id), 
	CONSTRAINT fk_quarantined_file_root_id FOREIGN KEY(root_id) REFERENCES image_root (id), 
	CONSTRAINT uq_quarantined_file_root_id_path UNIQUE (root_id, path), 
	CONSTRAINT ck_quarantined_file_quarantinecode CHECK (code IN ('unidentified', 'truncated', 'bomb', 'io', 'timeout', 'crash', 'nonfinite'))
);
INSERT INTO "quarantined_file" VALUES(1,1,'bad.png','truncated','too short');
CREATE TABLE "review" (
	id INTEGER NOT NULL, 
	image_id INTEGER NOT NULL, 
	reason VARCHAR(16) NOT NULL, 
	newest_label_id INTEGER NOT NULL, 
	probability DOUBLE, 
	opened_at BIGINT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	closed_at BIGINT, 
	closed_by TEXT, 
	label_id INTEGER, 
	note TEXT, 
	predicted_class_id INTEGER, 
	predicted_probability DOUBLE, 
	asked_by TEXT, 
	opinion_class_id INTEGER, event_id TEXT, 
	CONSTRAINT pk_review PRIMARY KEY (id), 
	CONSTRAINT fk_review_newest_label_id FOREIGN KEY(newest_label_id) REFERENCES label (id), 
	CONSTRAINT ck_review_closed_by CHECK ((state = 'open') = (closed_by IS NULL)), 
	CONSTRAINT ck_review_label_id CHECK ((state = 'resolved') = (label_id IS NOT NULL)), 
	CONSTRAINT ck_review_closed_at CHECK ((state = 'open') = (closed_at IS NULL)), 
	CONSTRAINT fk_review_image_id FOREIGN KEY(image_id) REFERENCES image (id), 
	CONSTRAINT fk_review_label_id FOREIGN KEY(label_id) REFERENCES label (id), 
	CONSTRAINT fk_review_predicted_class_id FOREIGN KEY(predicted_class_id) REFERENCES label_class (id), 
	CONSTRAINT fk_review_opinion_class_id FOREIGN KEY(opinion_class_id) REFERENCES label_class (id), 
	CONSTRAINT ck_review_reviewreason CHECK (reason IN ('disagreement', 'label_error', 'second_opinion')), 
	CONSTRAINT ck_review_reviewstate CHECK (state IN ('open', 'resolved', 'dismissed', 'passed_on')), 
	CONSTRAINT ck_review_asked_by CHECK ((reason = 'second_opinion') = (asked_by IS NOT NULL)), 
	CONSTRAINT ck_review_opinion CHECK (opinion_class_id IS NULL OR state = 'passed_on')
);
CREATE TABLE role_change (
	id INTEGER NOT NULL, 
	image_id INTEGER NOT NULL, 
	former VARCHAR(16) NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	recorded_at BIGINT NOT NULL, 
	CONSTRAINT pk_role_change PRIMARY KEY (id), 
	CONSTRAINT fk_role_change_image_id FOREIGN KEY(image_id) REFERENCES image (id), 
	CONSTRAINT ck_role_change_former CHECK (former IN ('pool', 'audit')), 
	CONSTRAINT ck_role_change_role CHECK (role IN ('pool', 'audit'))
);
CREATE TABLE round (
	id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	strategy TEXT NOT NULL, 
	seed BIGINT NOT NULL, 
	batch_size INTEGER NOT NULL, 
	class_list_id INTEGER NOT NULL, 
	posterior_id INTEGER, 
	learner_id INTEGER, 
	state VARCHAR(16) NOT NULL, 
	opened_at BIGINT NOT NULL, 
	closed_at BIGINT, 
	seconds DOUBLE NOT NULL, 
	settings JSON NOT NULL, 
	CONSTRAINT pk_round PRIMARY KEY (id), 
	CONSTRAINT ck_round_closed_at CHECK ((state = 'closed') = (closed_at IS NOT NULL)), 
	CONSTRAINT fk_round_class_list_id FOREIGN KEY(class_list_id) REFERENCES class_list (id), 
	CONSTRAINT fk_round_learner_id FOREIGN KEY(learner_id) REFERENCES learner (id), 
	CONSTRAINT fk_round_posterior_id FOREIGN KEY(posterior_id) REFERENCES posterior (id), 
	CONSTRAINT uq_round_number UNIQUE (number), 
	CONSTRAINT ck_round_roundstate CHECK (state IN ('open', 'closed'))
);
INSERT INTO "round" VALUES(1,1,'random',1099511627779,3,1,1,NULL,'closed',1772366400000000,1772366700000000,0.5,'{"draws": 8}');
INSERT INTO "round" VALUES(2,2,'margin',1099511627779,2,1,1,1,'open',1772366880000000,NULL,0.5,'{"draws": 8}');
CREATE TABLE sign_in (
	id INTEGER NOT NULL, 
	person_id INTEGER NOT NULL, 
	token_hash TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	last_seen_at BIGINT NOT NULL, 
	revoked_at BIGINT, 
	CONSTRAINT pk_sign_in PRIMARY KEY (id), 
	CONSTRAINT ck_sign_in_hash_is_sha256 CHECK (length(token_hash) = 64), 
	CONSTRAINT fk_sign_in_person_id FOREIGN KEY(person_id) REFERENCES person (id), 
	CONSTRAINT uq_sign_in_token_hash UNIQUE (token_hash)
);
CREATE INDEX ix_image_role ON image (role);
CREATE INDEX ix_image_path_image_id ON image_path (image_id);
CREATE INDEX ix_image_path_name ON image_path (name);
CREATE UNIQUE INDEX uq_round_open ON round (state) WHERE state = 'open';
CREATE INDEX ix_label_image_id ON label (image_id);
CREATE UNIQUE INDEX uq_metric_round_learner ON metric (round_number, coalesce(learner_id, 0));
CREATE TRIGGER label_no_update BEFORE UPDATE ON label BEGIN SELECT RAISE(ABORT, 'label: rows are only ever added'); END;
CREATE TRIGGER label_no_delete BEFORE DELETE ON label BEGIN SELECT RAISE(ABORT, 'label: rows are only ever added'); END;
CREATE TRIGGER label_retraction_no_update BEFORE UPDATE ON label_retraction BEGIN SELECT RAISE(ABORT, 'label_retraction: rows are only ever added'); END;
CREATE TRIGGER label_retraction_no_delete BEFORE DELETE ON label_retraction BEGIN SELECT RAISE(ABORT, 'label_retraction: rows are only ever added'); END;
CREATE TRIGGER role_change_no_update BEFORE UPDATE ON role_change BEGIN SELECT RAISE(ABORT, 'role_change: rows are only ever added'); END;
CREATE TRIGGER role_change_no_delete BEFORE DELETE ON role_change BEGIN SELECT RAISE(ABORT, 'role_change: rows are only ever added'); END;
CREATE INDEX ix_sign_in_person_id ON sign_in (person_id);
CREATE TRIGGER label_origin_no_update BEFORE UPDATE ON label_origin BEGIN SELECT RAISE(ABORT, 'label_origin: rows are only ever added'); END;
CREATE TRIGGER label_origin_no_delete BEFORE DELETE ON label_origin BEGIN SELECT RAISE(ABORT, 'label_origin: rows are only ever added'); END;
CREATE INDEX ix_label_annotator ON label (annotator);
CREATE INDEX ix_label_item_id_annotator ON label (item_id, annotator);
CREATE UNIQUE INDEX uq_job_live_kind ON job (kind) WHERE state IN ('queued', 'running');
CREATE INDEX ix_review_image_id ON review (image_id);
CREATE UNIQUE INDEX uq_review_open ON review (image_id, reason) WHERE state = 'open';
CREATE TRIGGER review_no_delete BEFORE DELETE ON review BEGIN SELECT RAISE(ABORT, 'review: no case is ever removed'); END;
CREATE TRIGGER review_no_update BEFORE UPDATE ON review WHEN OLD.state <> 'open' BEGIN SELECT RAISE(ABORT, 'review: a closed case never changes'); END;
CREATE UNIQUE INDEX uq_review_event_id ON review (event_id);
COMMIT;
