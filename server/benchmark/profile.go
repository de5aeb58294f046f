package benchmark

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// profiled measures and keeps a CPU profile of the target, if it was started with profiling, in a file for each phase and pass.
func (c Config) profiled(ctx context.Context, p phase, pass int, t *Target, measure func() (Sample, error)) (Sample, error) {
	if c.CPUProfile == "" || t.debug == "" {
		return measure()
	}
	if _, err := t.profile(ctx, "/cpu/start"); err != nil {
		return Sample{}, err
	}
	s, err := measure()
	b, stopErr := t.profile(ctx, "/cpu/stop")
	if err = errors.Join(err, stopErr); err != nil {
		return s, err
	}
	if err := os.MkdirAll(c.CPUProfile, 0o755); err != nil {
		return s, err
	}
	return s, os.WriteFile(filepath.Join(c.CPUProfile, fmt.Sprintf("%s-%d.prof", fileName(p.name), pass+1)), b, 0o644)
}

// profile asks the node's profiling listener.
func (t *Target) profile(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.debug+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := t.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("profile of %s: %s: %.200s", t.Name, resp.Status, b)
	}
	return b, err
}

// fileName makes a phase's name one of a file.
func fileName(name string) string {
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
	}), "-")
}
