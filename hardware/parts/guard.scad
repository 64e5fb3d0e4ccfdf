// A post with a foot for a screw clamp; four of them carry a cord or a sheet around the arm's circle.
// Lengths in mm. Print standing, 4 walls.

rod_l = 300;        // lath; the arm's circle has this radius
beam_t = 38;        // beam's thickness, as high as the clamps grip
post_d = 20;
post_h = 150;       // two fit on top of each other
foot = 60;
cord_d = 6;
wall = 3;
play = 0.3;
$fn = 48;

clearance = rod_l + 50; // where the posts stand, from the shaft

module post() {
    difference() {
        union() {
            translate([-foot / 2, -foot / 2, 0]) cube([foot, foot, 2 * wall]);
            cylinder(d = post_d, h = post_h);
            translate([0, 0, 2 * wall]) cylinder(d1 = foot * 0.7, d2 = post_d, h = beam_t / 2);
            translate([0, 0, post_h]) cylinder(d = post_d - 2 * wall - play, h = 15);
        }
        translate([0, 0, -1]) cylinder(d = post_d - 2 * wall + play, h = 17);
        for (z = [post_h * 0.45, post_h * 0.9])
            translate([-post_d, 0, z]) rotate([0, 90, 0]) cylinder(d = cord_d, h = 2 * post_d);
    }
}

echo(clearance = clearance);
post();
