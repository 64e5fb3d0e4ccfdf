// Holds the gear motor at the end of the beam: the face with the motor's holes, a foot with screws into the wood.
// Lengths in mm. Print lying on the side of its L, 4 walls, 40 % filling.

motor_d = 25;     // gear motor's body
boss_d = 7;       // collar around the shaft
face_holes = 17;  // distance of the two holes in the motor's face
screw_d = 3;      // those holes' screws
beam_w = 89;      // beam's broad side
wall = 5;
wood_screw_d = 4.5;
play = 0.3;
$fn = 64;

side = motor_d + 2 * (wall + play);
foot_l = 50;

module face() {
    difference() {
        translate([-side / 2, 0, 0]) cube([side, wall, side]);
        translate([0, -1, side / 2]) rotate([-90, 0, 0]) {
            cylinder(d = boss_d + 2 * play, h = wall + 2);
            for (x = [-face_holes / 2, face_holes / 2])
                translate([x, 0, 0]) cylinder(d = screw_d + play, h = wall + 2);
        }
    }
}

module foot() {
    difference() {
        translate([-side / 2, 0, 0]) cube([side, foot_l, wall]);
        for (x = [-side / 4, side / 4], y = [foot_l * 0.4, foot_l * 0.8])
            translate([x, y, -1]) {
                cylinder(d = wood_screw_d, h = wall + 2);
                translate([0, 0, wall - 1.5]) cylinder(d1 = wood_screw_d, d2 = 2 * wood_screw_d, h = 2.6);
            }
    }
}

module rib(x) {
    translate([x, wall - 0.01, wall - 0.01]) rotate([90, 0, 90])
        linear_extrude(wall) polygon([[0, 0], [foot_l * 0.3, 0], [0, side * 0.7]]);
}

assert(side <= beam_w, "The bracket is broader than the beam.");
face();
foot();
rib(-side / 2);
rib(side / 2 - wall);
