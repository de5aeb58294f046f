package viewer

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Package is OHIF's name in the npm registry, Version the one that this node was tried with, and Integrity the SHA-512 of
// its tarball as npm publishes it (dist.integrity).
const (
	Package   = "@ohif/app"
	Version   = "3.13.2"
	Integrity = "sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
)

var versionForm = regexp.MustCompile(`^[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}(-[0-9A-Za-z.]{1,40})?$`)

// Pack fetches the tarball of a version into the folder to with the user's npm, so that their registry, proxy and
// certificates are used, and returns its path. No script of the package runs.
func Pack(ctx context.Context, version, to string) (string, error) {
	if !versionForm.MatchString(version) {
		return "", fmt.Errorf("viewer: %q is no version; %s is the tried one", version, Version)
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", fmt.Errorf("viewer: npm is not on the PATH: install Node.js, or run \"npm pack %s@%s\" elsewhere and give the file with --from", Package, version)
	}
	cmd := exec.CommandContext(ctx, npm, "pack", Package+"@"+version, "--ignore-scripts", "--silent", "--pack-destination", to)
	cmd.Dir = to // no package.json or .npmrc of another project has a say
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return "", fmt.Errorf("viewer: npm pack %s@%s: %w: %s", Package, version, err, lines[0])
	}
	found, err := filepath.Glob(filepath.Join(to, "*.tgz"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("viewer: npm pack %s@%s left %d files, one was expected", Package, version, len(found))
	}
	return found[0], nil
}

// Install checks the tarball and puts what it holds into dir, in place of what was installed there. Nothing is unpacked
// before the whole file has the SHA-512 integrity ("sha512-" and base64); "" stands for Integrity. A running
// node serves it from the next request on.
func Install(ctx context.Context, dir, tarball, integrity string) (in Installed, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("viewer: install %s: %w", filepath.Base(tarball), err)
		}
	}()
	f, err := os.Open(tarball)
	if err != nil {
		return in, err
	}
	defer f.Close()
	sum, err := digest(f)
	if err != nil {
		return in, err
	}
	switch {
	case integrity == "" && sum != Integrity:
		return in, fmt.Errorf("its digest is %s, not that of version %s; if you trust another one, name its digest with --integrity", sum, Version)
	case integrity != "" && sum != integrity:
		return in, fmt.Errorf("its digest is %s, expected is %s: it was changed or not fetched whole", sum, integrity)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return in, err
	}
	temporary, err := os.MkdirTemp(dir, unpacking)
	if err != nil {
		return in, err
	}
	defer os.RemoveAll(temporary)
	if in, err = fill(ctx, temporary, f, sum); err != nil {
		return in, err
	}
	return in, replace(dir, temporary, in.Version)
}

// digest returns the file's SHA-512 as npm writes it and goes back to its begin.
func digest(f *os.File) (string, error) {
	h := sha512.New()
	n, err := io.Copy(h, io.LimitReader(f, maxTarball+1))
	if err == nil && n > maxTarball {
		err = fmt.Errorf("it has more than %d bytes", maxTarball)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	return "sha512-" + base64.StdEncoding.EncodeToString(h.Sum(nil)), err
}

// fill unpacks into folder and writes the record.
func fill(ctx context.Context, folder string, tgz io.Reader, sum string) (Installed, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return Installed{}, err
	}
	defer root.Close()
	in, err := unpack(ctx, tgz, root)
	if err != nil {
		return in, err
	}
	in.Integrity = sum
	record, err := json.MarshalIndent(in, "", "  ")
	if err == nil {
		_, err = write(root, recordFile, append(record, '\n'))
	}
	return in, err
}

// replace puts folder into place as dir/version and removes what was installed before. One of the same version is out of
// the way for the moment between two renames.
func replace(dir, folder, version string) error {
	if err := os.Chmod(folder, 0o755); err != nil {
		return err
	}
	target, old := filepath.Join(dir, version), folder+".old"
	if err := os.Rename(target, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(folder, target); err != nil {
		return errors.Join(err, os.Rename(old, target))
	}
	return clear(dir, version)
}
