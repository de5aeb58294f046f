package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime/pprof"
	"sync"
	"time"
)

// profileListener lets "server bench dicomweb --cpuprofile" look into a node that it started: POST /cpu/start begins a
// CPU profile, POST /cpu/stop ends it and answers with it, GET /heap answers with what is held. It is no part of the node's
// service and listens on loopback only.
type profileListener struct {
	mu      sync.Mutex
	profile *bytes.Buffer // nil while there is none
}

// listenForProfiles serves profiles on addr until ctx ends.
func listenForProfiles(ctx context.Context, addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || !net.ParseIP(host).IsLoopback() {
		return fmt.Errorf("--profile-addr %s: an address of loopback with a port is expected", addr)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("--profile-addr: %w", err)
	}
	p, mux := &profileListener{}, http.NewServeMux()
	mux.HandleFunc("POST /cpu/start", p.start)
	mux.HandleFunc("POST /cpu/stop", p.stop)
	mux.HandleFunc("GET /heap", func(w http.ResponseWriter, _ *http.Request) { pprof.WriteHeapProfile(w) })
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go s.Serve(l) // until it is closed
	context.AfterFunc(ctx, func() { s.Close() })
	return nil
}

func (p *profileListener) start(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b bytes.Buffer
	if err := pprof.StartCPUProfile(&b); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	p.profile = &b
}

func (p *profileListener) stop(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.profile == nil {
		http.Error(w, "no profile was started", http.StatusConflict)
		return
	}
	pprof.StopCPUProfile()
	w.Write(p.profile.Bytes())
	p.profile = nil
}
