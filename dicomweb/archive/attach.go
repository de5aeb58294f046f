package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/dicom/uid"
)

// MaxAttachmentBytes bounds one attachment.
const MaxAttachmentBytes = 16 << 20

// Attach keeps a small file of the node's own beside a study, such as a picture for its page, under a name of letters,
// digits, dots and hyphens. It is durable when Attach returns, and replaces one of that name in one step: readers see
// the old or the new one, never a part. Attachments are no DICOM objects: searches, retrievals and the index know
// nothing of them. Delete takes them away with the study.
func (a *Archive) Attach(ctx context.Context, study, name string, content []byte) error {
	key, err := attachmentKey(study, name)
	if err != nil {
		return err
	}
	staged, err := a.objects.Stage(ctx, bytes.NewReader(content), MaxAttachmentBytes)
	if err != nil {
		return noSpace(fmt.Errorf("archive: attach %s: %w", name, err))
	}
	defer staged.Discard()
	if err := staged.Commit(ctx, key, a.now()); err != nil {
		return noSpace(fmt.Errorf("archive: attach %s: %w", name, err))
	}
	return nil
}

// Attachment returns what was attached to a study under a name, an error of kind dicomweb.NotFound where nothing was.
func (a *Archive) Attachment(ctx context.Context, study, name string) ([]byte, error) {
	key, err := attachmentKey(study, name)
	if err != nil {
		return nil, err
	}
	b, err := a.objects.Open(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, dicomweb.Errorf(dicomweb.NotFound, "the study has no attachment of this name")
	}
	if err != nil {
		return nil, fmt.Errorf("archive: open attachment %s: %w", name, err)
	}
	defer b.Close()
	content := make([]byte, b.Size())
	if _, err := io.ReadFull(io.NewSectionReader(b, 0, b.Size()), content); err != nil {
		return nil, fmt.Errorf("archive: read attachment %s: %w", name, err)
	}
	return content, nil
}

// Attachments returns the names of what is attached to a study, in order.
func (a *Archive) Attachments(ctx context.Context, study string) ([]string, error) {
	var names []string
	folder, err := attachmentKey(study, "")
	if err != nil {
		return nil, err
	}
	if err := a.objects.Walk(ctx, folder, func(f Found) error {
		names = append(names, path.Base(f.Key))
		return nil
	}); err != nil {
		return nil, fmt.Errorf("archive: list attachments: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

// Detach takes attachments away; one that is not there is no error.
func (a *Archive) Detach(ctx context.Context, study string, names ...string) error {
	for _, name := range names {
		key, err := attachmentKey(study, name)
		if err == nil {
			err = a.objects.Remove(ctx, key)
		}
		if err != nil {
			return fmt.Errorf("archive: detach %s: %w", name, err)
		}
	}
	return nil
}

func (a *Archive) detachAll(ctx context.Context, study string) error {
	names, err := a.Attachments(ctx, study)
	if err != nil {
		return err
	}
	return a.Detach(ctx, study, names...)
}

// attachmentKey is the key of an attachment, of their folder where name is empty.
func attachmentKey(study, name string) (string, error) {
	folder := folderOf(study) + "/attached"
	switch {
	case !uid.Valid(study):
		return "", dicomweb.Errorf(dicomweb.BadRequest, "the study's UID is malformed")
	case name == "":
		return folder, nil
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != "" || name == "." || name == ".." || path.Ext(name) == suffix:
		return "", dicomweb.Errorf(dicomweb.BadRequest, "malformed name of an attachment")
	}
	return folder + "/" + name, nil
}
