package io.github.kdtf.books;

import android.content.Context;
import android.graphics.Canvas;
import android.graphics.Paint;
import android.graphics.Path;
import android.graphics.Typeface;
import android.text.Layout;
import android.text.StaticLayout;
import android.text.TextPaint;
import android.text.TextUtils;
import android.util.AttributeSet;
import android.view.View;

/**
 * A cover drawn from the title, always the same for the same book: without the network there are
 * no pictures of real ones. Wide covers carry the title, narrow ones its first letter.
 */
public final class CoverView extends View {
    /** Cloth and leather; white on each has a contrast of at least 4.5. */
    private static final int[] CLOTHS = {
        0xFF7B4636, 0xFF22503F, 0xFF3A5877, 0xFF7A5C22, 0xFF68496F, 0xFF55602F, 0xFF8A3A4A,
        0xFF33646C, 0xFF4A4E69, 0xFF6B5442,
    };
    private static final int GILT = 0x66FFF3D6;
    private static final int LETTERS = 0xFFFFF8EA;
    private static final int TITLE_FROM_DP = 80;

    private final Paint paint = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final TextPaint text = new TextPaint(Paint.ANTI_ALIAS_FLAG);
    private final Path outline = new Path();
    private final float dp = getResources().getDisplayMetrics().density;
    private String title = "";

    public CoverView(Context context, AttributeSet attributes) {
        super(context, attributes);
        text.setColor(LETTERS);
        text.setTypeface(Typeface.SERIF);
    }

    void setTitle(String title) {
        this.title = title;
        invalidate();
    }

    @Override
    protected void onDraw(Canvas canvas) {
        int width = getWidth();
        int height = getHeight();
        boolean reversed = getLayoutDirection() == LAYOUT_DIRECTION_RTL;
        outline.reset();
        outline.addRoundRect(0, 0, width, height, 3 * dp, 3 * dp, Path.Direction.CW);
        canvas.save();
        canvas.clipPath(outline);
        int cloth = CLOTHS[(title.hashCode() & Integer.MAX_VALUE) % CLOTHS.length];
        canvas.drawColor(cloth);
        // The hinge, on the side of the spine.
        paint.setStyle(Paint.Style.FILL);
        paint.setColor(0x2E000000);
        float hinge = width * 0.09f;
        canvas.drawRect(reversed ? width - hinge : 0, 0, reversed ? width : hinge, height, paint);
        paint.setStyle(Paint.Style.STROKE);
        paint.setStrokeWidth(dp);
        paint.setColor(GILT);
        float inset = width * 0.09f;
        float left = reversed ? inset : hinge + inset;
        float right = width - (reversed ? hinge + inset : inset);
        canvas.drawRect(left, inset, right, height - inset, paint);
        drawText(canvas, left, right, inset);
        canvas.restore();
    }

    private void drawText(Canvas canvas, float left, float right, float inset) {
        boolean wide = getWidth() >= TITLE_FROM_DP * dp;
        String shown = wide ? withoutSeries() : initial();
        text.setTextSize(wide ? getWidth() * 0.135f : getWidth() * 0.46f);
        int width = Math.round(right - left - (wide ? 8 * dp : 0));
        StaticLayout layout = StaticLayout.Builder.obtain(shown, 0, shown.length(), text, width)
                .setAlignment(Layout.Alignment.ALIGN_CENTER)
                .setEllipsize(TextUtils.TruncateAt.END)
                .setMaxLines(wide ? 6 : 1)
                .build();
        canvas.save();
        canvas.translate(left + (right - left - width) / 2, (getHeight() - layout.getHeight()) / 2f);
        layout.draw(canvas);
        canvas.restore();
    }

    private String withoutSeries() {
        int bracket = title.endsWith(")") ? title.lastIndexOf(" (") : -1;
        return bracket > 0 ? title.substring(0, bracket) : title;
    }

    /** The first letter or digit of the title. */
    private String initial() {
        String name = io.github.kdtf.books.engine.TitleKey.full(title);
        return name.isEmpty() ? "" : new String(Character.toChars(
                Character.toTitleCase(name.codePointAt(0))));
    }
}
