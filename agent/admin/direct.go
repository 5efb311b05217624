package admin

import (
	"io"
	"net/http"
	"sync"
)

// direct is an http.RoundTripper that calls a handler in this process.
type direct struct{ handler http.Handler }

var _ http.RoundTripper = direct{}

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	read, write := io.Pipe()
	w := &pipeWriter{
		body: write, header: http.Header{}, begun: make(chan struct{}),
		resp: &http.Response{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: read, Request: r, Trailer: http.Header{}},
	}
	go func() {
		defer func() {
			if recover() != nil { // http.ErrAbortHandler: the answer is not whole
				w.WriteHeader(http.StatusInternalServerError)
				write.CloseWithError(io.ErrUnexpectedEOF)
				return
			}
			w.WriteHeader(http.StatusOK)
			if v := w.header.Get(wholeTrailer); v != "" {
				w.resp.Trailer.Set(wholeTrailer, v)
			}
			_ = write.Close()
		}()
		d.handler.ServeHTTP(w, r)
	}()
	<-w.begun
	return w.resp, nil
}

// pipeWriter is an http.ResponseWriter whose body is read as it is written.
type pipeWriter struct {
	body   *io.PipeWriter
	header http.Header
	resp   *http.Response
	once   sync.Once
	begun  chan struct{}
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(code int) {
	w.once.Do(func() {
		w.resp.StatusCode, w.resp.Status = code, http.StatusText(code)
		w.resp.Header = w.header.Clone()
		close(w.begun)
	})
}

func (w *pipeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}
