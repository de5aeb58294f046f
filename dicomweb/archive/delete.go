package archive

import (
	"context"
	"fmt"
	"slices"

	"mome/dicomweb"
)

// Delete takes out the study, series or instance that ref names and returns how many instances that were; none is an
// error of kind dicomweb.NotFound. Who is reading one reads on. The study's revision stays, so that nothing is
// analysed because of it. Files go first: what a crash leaves half done has rows without files, which the next start
// takes out too. What is attached to a study goes with it, before anything else, or with its last instance.
//
// It fails with kind dicomweb.Unavailable while the index is being rebuilt.
func (a *Archive) Delete(ctx context.Context, ref dicomweb.Ref) (int, error) {
	if !a.maintenance.TryRLock() {
		return 0, errRebuilding()
	}
	defer a.maintenance.RUnlock()
	instances, err := a.Instances(ctx, ref)
	if err != nil {
		return 0, err
	}
	uids := make([]string, len(instances))
	for i, in := range instances {
		uids[i] = in.Ref.Instance
	}
	slices.Sort(uids) // one order of locking for all
	for _, uid := range uids {
		defer a.puts.lock(uid)()
	}
	ctx = context.WithoutCancel(ctx)
	if ref.Series == "" {
		if err := a.detachAll(ctx, ref.Study); err != nil {
			return 0, err
		}
	}
	var deleted []string
	for _, in := range instances {
		now, ok, err := a.index.Instance(ctx, in.Ref.Instance)
		if err != nil {
			return 0, err
		}
		if !ok || now.Key != in.Key { // another call was faster
			continue
		}
		if err := a.objects.Remove(ctx, in.Key); err != nil {
			a.unsure.Store(true)
			return 0, fmt.Errorf("archive: delete %s: %w", in.Ref.Instance, err)
		}
		deleted = append(deleted, in.Ref.Instance)
	}
	defer a.changes.Add(1)
	if err := a.index.Remove(ctx, deleted...); err != nil {
		a.unsure.Store(true)
		return 0, fmt.Errorf("archive: delete: %w", err)
	}
	if _, err := a.Instances(ctx, dicomweb.Ref{Study: ref.Study}); dicomweb.KindOf(err) == dicomweb.NotFound {
		return len(deleted), a.detachAll(ctx, ref.Study)
	}
	return len(deleted), nil
}

func errRebuilding() error {
	return dicomweb.Errorf(dicomweb.Unavailable, "the index is being rebuilt, nothing can be taken away meanwhile")
}
