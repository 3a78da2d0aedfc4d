/* SPDX-License-Identifier: MIT */
/*
 * The picture: one SVG file that needs nothing else. It is drawn whole here, for 1200 pixels, so
 * that it can be read where no script runs; flame.js, which goes into the file, fits it to its
 * window and answers to mouse and keyboard.
 *
 * The root is at the bottom, callees above it, siblings by name; a frame is as wide as its share.
 * Colours of functions are warm and say nothing but which name it is; ops, waits, phases,
 * inlined functions and remarks each have a hue of their own.
 */
#include "cli/flame.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/flame-name.h"
#include "cli/svg.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define WIDTH     1200
#define PAD       10
#define ROW       17 /* a frame and the gap above it */
#define BOX       16
#define HEAD      66   /* above the frames */
#define FOOT      58   /* below them */
#define CHAR      7.25 /* width of a letter: 12 px, fixed width; flame.js has the same */
#define INSET     3
#define MAX_NODES 20000 /* drawn; what is narrowest is left out */

static const char script[] =
#include "flame-js.inc"
        ;

struct drawing {
        FILE *out;
        const struct flame_node *root;
        const char *unit;
        unsigned depth;  /* the greatest that is drawn */
        double smallest; /* value of a node that is drawn */
        size_t n;
        bool kinds[FLAME_NOTE + 1];
        bool differs;
        double largest; /* difference of a node but the root */
};

/* An element with text; `attributes` are ours. */
static void put_text(FILE *out, const char *element, const char *attributes, const char *text)
{
        fprintf(out, "<%s%s%s>", element, *attributes ? " " : "", attributes);
        svg_escaped(out, text);
        fprintf(out, "</%s>", element);
}

/* FNV-1a: the same name has the same colour in every picture. */
static uint32_t hash(const char *s)
{
        uint32_t h = 2166136261u;

        for (; *s; s++)
                h = (h ^ (unsigned char)*s) * 16777619u;
        return h ^ (h >> 15);
}

/* Hue in degrees, the others 0 to 1; CSS Color 4, section 7.1. */
static uint32_t rgb_of_hsl(double hue, double saturation, double lightness)
{
        double a = saturation * fmin(lightness, 1 - lightness);
        uint32_t rgb = 0;

        for (int i = 0; i < 3; i++) {
                double k = fmod((i == 0 ? 0 : i == 1 ? 8 : 4) + hue / 30, 12);
                double c = lightness - a * fmax(-1, fmin(fmin(k - 3, 9 - k), 1));

                rgb = rgb << 8 | (uint32_t)lround(255 * c);
        }
        return rgb;
}

static uint32_t colour(const struct flame_node *node)
{
        uint32_t h = hash(node->name);
        double a = (h & 0xff) / 255.0, b = (h >> 8 & 0xff) / 255.0;

        switch (node->kind) {
        case FLAME_ROOT:
                return rgb_of_hsl(28, 0.55, 0.72);
        case FLAME_PHASE:
                return rgb_of_hsl(100 + 40 * a, 0.32, 0.70);
        case FLAME_FRAME:
                return rgb_of_hsl(8 + 42 * a, 0.88, 0.56 + 0.08 * b);
        case FLAME_INLINED:
                return rgb_of_hsl(46 + 12 * a, 0.85, 0.76 + 0.05 * b);
        case FLAME_OP:
                return rgb_of_hsl(186 + 26 * a, 0.60, 0.64 + 0.06 * b);
        case FLAME_WAIT:
                return rgb_of_hsl(268 + 30 * a, 0.48, 0.74 + 0.05 * b);
        case FLAME_NOTE:
                break;
        }
        return 0xc8c8c8;
}

/*
 * Red where there is more than before, blue where less, the deeper the more of the largest
 * difference in the picture; by its root, so that what is small is not white.
 */
static uint32_t colour_of_difference(const struct drawing *d, double delta)
{
        double part = d->largest > 0 ? sqrt(fmin(fabs(delta) / d->largest, 1)) : 0;

        if (part < 0.02)
                return 0xf2f2f2;
        return rgb_of_hsl(delta > 0 ? 4 : 214, 0.85, 0.95 - 0.37 * part);
}

static double width_of(const struct drawing *d, double value)
{
        return value / d->root->value * (WIDTH - 2 * PAD);
}

static double top_of(const struct drawing *d, unsigned depth)
{
        return HEAD + (double)(d->depth - depth) * ROW;
}

/* "1.20MiB (1,258,291 bytes), 12.34 %" */
static void put_value(const struct drawing *d, double value)
{
        char brief[FMT_SIZE], exact[FMT_SIZE];
        double share = 100 * value / d->root->value;

        fmt_count(exact, (uint64_t)llround(value));
        if (!strcmp(d->unit, "ns"))
                fprintf(d->out, "%s, %.2f %%", fmt_ns(brief, (uint64_t)llround(value)), share);
        else if (strcmp(d->unit, "bytes") != 0 || value < 1024)
                fprintf(d->out, "%s %s, %.2f %%", exact, d->unit, share);
        else
                fprintf(d->out, "%s (%s bytes), %.2f %%", fmt_bytes(brief, (int64_t)llround(value)),
                        exact, share);
}

static void put_amount(const struct drawing *d, double value)
{
        char text[FMT_SIZE];

        if (!strcmp(d->unit, "ns"))
                fmt_ns(text, (uint64_t)llround(value));
        else if (!strcmp(d->unit, "bytes"))
                fmt_bytes(text, llround(value));
        else
                fmt_count(text, (uint64_t)llround(value));
        fputs(text, d->out);
}

/* "before 1.00MiB: +204KiB, +20.0 %" */
static void put_difference(const struct drawing *d, const struct flame_node *node)
{
        double delta = node->value - node->before;

        fputs("\nbefore ", d->out);
        put_amount(d, node->before);
        fprintf(d->out, ": %c", delta < 0 ? '-' : '+');
        put_amount(d, fabs(delta));
        if (node->before > 0)
                fprintf(d->out, ", %+.1f %%", 100 * delta / node->before);
}

static const char *class_of(enum flame_kind kind)
{
        static const char *const names[] = {"root", "phase", "frame", "inlined",
                                            "op",   "wait",  "note"};

        return names[kind];
}

static void put_title(const struct drawing *d, const struct flame_node *node)
{
        fputs("<title>", d->out);
        svg_escaped(d->out, node->name);
        putc('\n', d->out);
        if (node->library) {
                svg_escaped(d->out, node->library);
                putc('\n', d->out);
        }
        if (node->kind == FLAME_INLINED)
                fputs("inlined into the function below\n", d->out);
        put_value(d, node->value);
        if (d->differs)
                put_difference(d, node);
        fputs("</title>", d->out);
}

/* Letters that fit into a frame. */
static size_t columns_in(double width)
{
        return width < 2 * INSET ? 0 : (size_t)((width - 2 * INSET) / CHAR);
}

/* Value bounds are rounded, not widths, so that children never stand out of their parent. */
static int put_node(const struct flame_node *node, double from, void *userdata)
{
        struct drawing *d = userdata;
        double x = PAD + width_of(d, from), w = width_of(d, node->value), y;
        long long begin = llround(from), end = llround(from + node->value);
        _cleanup_(freep) char *label = NULL, *brief = NULL;

        if (node->value < d->smallest || end == begin)
                return 0;
        y = top_of(d, node->depth);
        brief = node->kind == FLAME_OP     ? flame_op_of_name(node->name)
                : node->kind == FLAME_WAIT ? strdup(node->name)
                                           : flame_short_name(node->name);
        label = brief ? flame_label(node->name, brief, columns_in(w)) : NULL;
        if (!label)
                return -1;
        fprintf(d->out, "<g class=\"%s\" data-a=\"%lld\" data-v=\"%lld\"", class_of(node->kind),
                begin, end - begin);
        if (strcmp(brief, node->name) != 0) {
                fputs(" data-b=\"", d->out);
                svg_escaped(d->out, brief);
                putc('"', d->out);
        }
        putc('>', d->out);
        put_title(d, node);
        fprintf(d->out,
                "<rect x=\"%.2f\" y=\"%.0f\" width=\"%.2f\" height=\"%d\" fill=\"#%06" PRIx32
                "\"/><text x=\"%.2f\" y=\"%.0f\">",
                x, y, w, BOX,
                d->differs ? colour_of_difference(d, node->value - node->before) : colour(node),
                x + INSET, y + BOX - 4);
        svg_escaped(d->out, label);
        fputs("</text></g>\n", d->out);
        return 0;
}

static int count_node(const struct flame_node *node, double from, void *userdata)
{
        struct drawing *d = userdata;

        if (node->value < d->smallest || (d->differs && !(node->value > 0)))
                return 0;
        if (node != d->root)
                d->largest = fmax(d->largest, fabs(node->value - node->before));
        d->n++;
        d->kinds[node->kind] = true;
        if (d->depth < node->depth)
                d->depth = node->depth;
        return 0;
}

/* Finds how small a node may be, and what there is to draw. */
static void survey(struct drawing *d)
{
        for (double width = 0.01;; width *= 2) {
                d->n = d->depth = 0;
                flame_tree_each(d->root, count_node, d);
                if (d->n <= MAX_NODES)
                        return;
                d->smallest = width / WIDTH * d->root->value;
        }
}

static void put_legend_of_differences(const struct drawing *d, double y)
{
        static const struct {
                double part;
                const char *text;
        } entries[] = {{1, "more than before"}, {-1, "less than before"}, {0, "the same"}};
        double x = PAD;

        fputs("<g id=\"legend\">\n", d->out);
        for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
                fprintf(d->out,
                        "<rect x=\"%.0f\" y=\"%.0f\" width=\"11\" height=\"11\" rx=\"2\" "
                        "fill=\"#%06" PRIx32 "\"/><text class=\"legend\" x=\"%.0f\" y=\"%.0f\">"
                        "%s</text>\n",
                        x, y - 9.5, colour_of_difference(d, 0.5 * entries[i].part * d->largest),
                        x + 17, y, entries[i].text);
                x += 17 + 6.7 * (double)strlen(entries[i].text) + 22;
        }
        fputs("</g>\n", d->out);
}

static void put_legend(const struct drawing *d, double y)
{
        static const struct {
                enum flame_kind kind;
                const char *name, *text;
        } entries[] = {{FLAME_FRAME, "malloc", "function"},
                       {FLAME_INLINED, "malloc", "inlined into the function below"},
                       {FLAME_OP, "[op MUL_MAT]", "op that was open"},
                       {FLAME_WAIT, "[barrier]", "what was waited for"},
                       {FLAME_PHASE, "decode", "phase"},
                       {FLAME_NOTE, "", "frames that are not known"}};
        double x = PAD;

        if (d->differs) {
                put_legend_of_differences(d, y);
                return;
        }
        fputs("<g id=\"legend\">\n", d->out);
        for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
                struct flame_node sample = {.kind = entries[i].kind,
                                            .name = (char *)entries[i].name};

                if (!d->kinds[entries[i].kind])
                        continue;
                fprintf(d->out,
                        "<rect x=\"%.0f\" y=\"%.0f\" width=\"11\" height=\"11\" rx=\"2\" "
                        "fill=\"#%06" PRIx32 "\"/><text class=\"legend\" x=\"%.0f\" y=\"%.0f\">"
                        "%s</text>\n",
                        x, y - 9.5, colour(&sample), x + 17, y, entries[i].text);
                x += 17 + 6.7 * (double)strlen(entries[i].text) + 22;
        }
        fputs("</g>\n", d->out);
}

static const char style[] =
        "svg{background:#f3efd0}\n"
        "text{font-family:'DejaVu Sans Mono',Menlo,Consolas,'Liberation Mono',monospace;"
        "font-size:12px;fill:#111}\n"
        "#title{font-family:'DejaVu Sans',Verdana,Helvetica,sans-serif;font-size:17px;"
        "text-anchor:middle}\n"
        "#subtitle{fill:#555;text-anchor:middle}\n"
        "#details,#matched{fill:#222}\n"
        "#matched{text-anchor:end}\n"
        ".legend{fill:#555;font-size:11px}\n"
        ".button{cursor:pointer;outline:none}\n"
        ".button text{fill:#555}\n"
        ".button:hover text,.button:focus text{fill:#111;text-decoration:underline}\n"
        "#search text{text-anchor:end}\n"
        "#frames text{pointer-events:none}\n"
        "#frames rect{rx:2px;ry:2px;stroke:#fff;stroke-opacity:.55;stroke-width:.5px}\n"
        "#frames g{cursor:pointer;outline:none}\n"
        "#frames .inlined text{font-style:italic}\n"
        "#frames .below{opacity:.5}\n"
        "#frames .hit rect{fill:#ee66ee}\n"
        "#frames g:hover rect{stroke:#111;stroke-opacity:1;stroke-width:1px}\n"
        "#frames .cursor rect{stroke:#111;stroke-opacity:1;stroke-width:1.5px}\n"
        "input{box-sizing:border-box;width:100%;height:24px;font:12px monospace;padding:2px 6px;"
        "border:1px solid #999;border-radius:3px;background:#fff;color:#111}\n";

static void put_head(const struct drawing *d, const struct flame_text *text, double height)
{
        FILE *out = d->out;

        fprintf(out,
                "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n"
                "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%d\" "
                "height=\"%.0f\" viewBox=\"0 0 %d %.0f\" data-total=\"%lld\" data-unit=\"%s\" "
                "aria-labelledby=\"name about\">\n",
                WIDTH, height, WIDTH, height, llround(d->root->value), d->unit);
        put_text(out, "title", "id=\"name\"", text->title);
        putc('\n', out);
        put_text(out, "desc", "id=\"about\"", text->subtitle);
        fprintf(out,
                "\n<defs><linearGradient id=\"paper\" x1=\"0\" y1=\"0\" x2=\"0\" y2=\"1\">"
                "<stop offset=\"0\" stop-color=\"#f4f4f2\"/>"
                "<stop offset=\"1\" stop-color=\"#f3efd0\"/></linearGradient></defs>\n"
                "<style>\n%s</style>\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"url(#paper)\"/>\n",
                style);
}

/* What stands around the frames. The buttons are shown by the script, which makes them work. */
static int put_surroundings(const struct drawing *d, const struct flame_text *text, double height)
{
        _cleanup_(freep) char *title = flame_cut(text->title, 90);
        _cleanup_(freep) char *subtitle = NULL;
        FILE *out = d->out;

        subtitle = flame_cut(text->subtitle, (size_t)((WIDTH - 2 * PAD) / CHAR));
        if (!title || !subtitle)
                return -1;
        put_text(out, "text", "id=\"title\" class=\"centre\" x=\"600\" y=\"27\"", title);
        fputs("\n<text id=\"subtitle\" class=\"centre\" x=\"600\" y=\"50\" data-text=\"", out);
        svg_escaped(out, text->subtitle);
        fputs("\">", out);
        svg_escaped(out, subtitle);
        fprintf(out,
                "</text>\n"
                "<g id=\"reset\" class=\"button\" role=\"button\" tabindex=\"0\" "
                "style=\"display:none\"><text x=\"%d\" y=\"27\">Reset zoom</text></g>\n"
                "<g id=\"search\" class=\"button\" role=\"button\" tabindex=\"0\" "
                "style=\"display:none\"><text class=\"right\" x=\"%d\" y=\"27\">Search</text></g>\n"
                "<text id=\"details\" x=\"%d\" y=\"%.0f\" aria-live=\"polite\"></text>\n"
                "<text id=\"matched\" class=\"right\" x=\"%d\" y=\"%.0f\" "
                "aria-live=\"polite\"></text>\n",
                PAD, WIDTH - PAD, PAD, height - 34, WIDTH - PAD, height - 13);
        put_legend(d, height - 13);
        return 0;
}

int flame_svg(FILE *out, const struct flame_node *root, const struct flame_text *text)
{
        struct drawing d = {.out = out, .root = root, .unit = text->unit, .differs = text->differs};
        double height;
        int r;

        survey(&d);
        height = HEAD + (double)(d.depth + 1) * ROW + FOOT;
        put_head(&d, text, height);
        r = put_surroundings(&d, text, height);
        if (r)
                return r;
        fputs("<g id=\"frames\">\n", out);
        r = flame_tree_each(root, put_node, &d);
        fprintf(out, "</g>\n<script><![CDATA[\n%s]]></script>\n</svg>\n", script);
        return r;
}
