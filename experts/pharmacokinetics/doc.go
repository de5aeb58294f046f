// Package pharmacokinetics turns the signal of a dynamic series into concentrations of contrast agent and fits Tofts'
// models to them. Concentrations are in mM, rate constants in 1/min as the literature gives them, times in s. It knows
// curves only: whether an exam's timing allows a fit is its caller's to decide.
package pharmacokinetics
