// Joins shaft and arm where no metal flange coupling is at hand: a clamped D-bore, a pocket for the lath.
// Lengths in mm. Print with the pocket up, solid.

shaft_d = 4;          // motor shaft
shaft_flat = 3.5;     // across its flat
shaft_l = 10;         // how much of it sticks out
rod_w = 25;           // lath's width
rod_t = 5;            // lath's thickness
flange_d = 22;        // as the metal coupling, so that both fit the same arm
hole_circle_d = 16;   // circle of the bolts through the lath
screw_d = 3;
wall = 3;
play = 0.2;
$fn = 96;

base_d = max(flange_d, rod_w + 2 * wall);

module shaft_bore() {
    intersection() {
        cylinder(d = shaft_d + play, h = shaft_l + 1);
        translate([-shaft_d, -shaft_d / 2 - play, 0]) cube([2 * shaft_d, shaft_flat + 2 * play, shaft_l + 1]);
    }
}

module hub() {
    difference() {
        union() {
            cylinder(d = shaft_d + 4 * wall, h = shaft_l);
            translate([0, 0, shaft_l - wall]) cylinder(d = base_d, h = wall + rod_t / 2);
        }
        translate([0, 0, -1]) shaft_bore();
        // the pocket keeps the lath from turning
        translate([-base_d, -(rod_w + play) / 2, shaft_l]) cube([2 * base_d, rod_w + play, rod_t]);
        for (angle = [45 : 90 : 315]) rotate(angle) translate([hole_circle_d / 2, 0, -1])
            cylinder(d = screw_d + play, h = shaft_l + rod_t + 2);
        // grub screw onto the flat
        translate([0, 0, (shaft_l - wall) / 2]) rotate([-90, 0, 0]) cylinder(d = screw_d - 0.5, h = base_d);
    }
}

assert(hole_circle_d / 2 + screw_d / 2 < base_d / 2, "The bolts' circle is wider than the hub.");
hub();
