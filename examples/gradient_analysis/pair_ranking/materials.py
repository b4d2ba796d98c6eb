"""What a plate of each material does to a bending wave: how fast it travels, and how much of it is lost on the way.

Sound of 500 Hz to 3 kHz goes along a plate as a bending wave. Its wave number follows from the stiffness and the mass
of the plate (Kirchhoff's thin plate), k = (omega^2 m' / B')^(1/4), so it is *dispersive*: a higher frequency is
faster. With a loss factor eta the stiffness is B' (1 + i eta) and k becomes k (1 - i eta / 4): the *attenuation*
grows with distance and with frequency.
Source of the equations and of the loss factors: L. Cremer, M. Heckl, B. Petersson, Structure-Borne Sound, Springer,
3rd edition 2005. The constants are handbook values rounded to what a simulation needs; loss factors in particular
differ by a factor of ten from one specimen to the next.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLATE_THICKNESS = 0.004
"""Thickness of every plate in m."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The constants of a material.

    Attributes:
        stiffness: Young's modulus in Pa.
        density: In kg/m^3.
        poisson: Poisson's ratio.
        loss_factor: Share of the vibration's energy that is lost per radian, without unit.
    """

    stiffness: float
    density: float
    poisson: float
    loss_factor: float

    def wave_number(self, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the wave number of bending waves in rad/m, of frequencies in Hz."""
        mass = self.density * PLATE_THICKNESS
        bending_stiffness = self.stiffness * PLATE_THICKNESS**3 / (12 * (1 - self.poisson**2))
        k: NDArray[np.float64] = np.sqrt(2 * np.pi * frequency) * (mass / bending_stiffness) ** 0.25
        return k

    def phase_speed(self, frequency: float) -> float:
        """Return the speed of a wave crest in m/s; the energy travels twice as fast, and both grow with sqrt(f)."""
        return float(2 * math.pi * frequency / self.wave_number(np.array([frequency]))[0])

    def attenuation(self, frequency: float) -> float:
        """Return what the material takes from the wave in dB per metre; the spreading of the wave comes on top."""
        loss = self.wave_number(np.array([frequency]))[0] * self.loss_factor / 4
        return float(20 * math.log10(math.e) * loss)


MATERIALS = {
    "aluminium": Material(stiffness=70e9, density=2700, poisson=0.33, loss_factor=1e-4),
    "glass": Material(stiffness=70e9, density=2500, poisson=0.22, loss_factor=1e-3),
    "plastic": Material(stiffness=3.2e9, density=1190, poisson=0.36, loss_factor=3e-2),  # acrylic glass (PMMA)
    "steel": Material(stiffness=210e9, density=7850, poisson=0.30, loss_factor=2e-4),
    "wood": Material(stiffness=11e9, density=700, poisson=0.30, loss_factor=1e-2),  # oak, along the grain
}
