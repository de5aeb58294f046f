// Package lesion finds the breasts and the candidate lesions of a dynamic contrast-enhanced study and measures their
// shape. It knows geometry and enhancement only; what a lesion means is said by the experts and by fusion. Nothing in
// it was trained: every rule is a threshold on anatomy or signal, stated with its source, and every study for which a
// rule does not hold gets a note instead of a silent guess.
package lesion
