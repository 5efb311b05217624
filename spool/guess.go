package spool

// guess finds out from its own checksum which bucket an entry belongs to.
func (w *wreck) guess(e *elem) (name string, ok bool) {
	v, err := e.value()
	if err != nil {
		return "", false
	}
	if len(e.key) == 8 {
		if _, err := openRecord(Seq(be64(e.key)), v); err == nil {
			return bucketNames[records], true
		}
	}
	small, err := openSmall(e.key, v)
	if err != nil {
		return "", false
	}
	switch len(e.key) {
	case 4:
		return bucketNames[lanes], true
	case 8:
		return bucketNames[audit], true
	case 4 + len(tag{}):
		return bucketNames[digests], true
	case 12:
		return guessState(e.key, small)
	}
	if k := string(e.key); k == string(keyFormat) || k == string(keySecret) || k == string(keyKeys) || k == string(keySpoolID) || k == string(keyIndexed) || k == string(keyAudited) {
		return bucketNames[settings], true
	}
	return "", false
}

// guessState tells the entries apart that say where a record is. One that waits may
// hold any bytes after the time, but that time does not begin as text does.
func guessState(key, small []byte) (name string, ok bool) {
	st, err := decodeState(small)
	switch _, waitErr := decodeWaiting(small); {
	case err == nil && st.State == Parked:
		return bucketNames[parked], true
	case err == nil:
		return bucketNames[history], true
	case waitErr == nil || laneOf(key) == arrivals:
		return bucketNames[waiting], true
	}
	return "", false
}
