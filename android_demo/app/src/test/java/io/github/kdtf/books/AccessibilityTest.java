package io.github.kdtf.books;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import android.content.res.Resources;
import android.text.Layout;
import android.text.TextUtils;
import android.view.View;
import android.view.ViewGroup;
import android.widget.AdapterView;
import android.widget.EditText;
import android.widget.TextView;
import java.util.ArrayList;
import java.util.List;
import org.junit.Assume;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;

/** For readers with a screen reader, large fonts, unsteady hands or weak eyes. */
@RunWith(RobolectricTestRunner.class)
public class AccessibilityTest {
    private static final int TOUCH_DP = 48;
    private static final double CONTRAST = 4.5;
    private static final double CONTRAST_OF_SHAPES = 3;

    @Before
    public void onlyWhereTextIsMeasuredAsOnAPhone() {
        Assume.assumeTrue(RuntimeEnvironment.getApiLevel() >= 26);
    }

    @Test
    public void everythingCanBeTouchedAndIsNamed() throws Exception {
        check(1);
    }

    @Test
    public void everythingCanBeTouchedAndIsNamedWithLargeFonts() throws Exception {
        RuntimeEnvironment.setFontScale(2);
        check(2);
    }

    @Test
    public void whatChangesIsSaid() {
        Phone<MainActivity> phone = Phone.launch();
        for (int id : new int[] {R.id.status, R.id.undo_text}) {
            assertEquals(View.ACCESSIBILITY_LIVE_REGION_POLITE,
                    phone.activity().findViewById(id).getAccessibilityLiveRegion());
        }
        assertTrue(phone.activity().findViewById(R.id.screen_title).isAccessibilityHeading());
    }

    @Test
    public void aRowIsReadAsOneSentence() throws Exception {
        Phone<MainActivity> phone = Phone.launch();
        phone.shelve(Expected.texts(Expected.read().getJSONArray("shelves").getJSONObject(2)
                .getJSONArray("items")));
        phone.tap(R.id.tab_for_you);
        phone.waitForReasons();
        LibraryState.Suggestion first = Phone.state().forYou.get(0);
        View book = phone.row(phone.place(first.book.title)).findViewById(R.id.book);
        String said = book.getContentDescription().toString();
        for (String part : new String[] {first.book.title, first.book.authors,
            Words.shortTitle(first.because.get(0)), "100"}) {
            assertTrue(said, said.contains(part));
        }
        assertTrue(book.isFocusable());
    }

    @Test
    public void textStandsOutInBothThemes() {
        checkContrast();
        RuntimeEnvironment.setQualifiers("+night");
        checkContrast();
    }

    private void check(float scale) throws Exception {
        List<String> shelf = Expected.texts(Expected.read().getJSONArray("shelves")
                .getJSONObject(3).getJSONArray("items"));
        final List<String> faults = new ArrayList<>();
        final int[] seen = {0};
        Pages.visitAll(shelf, (name, phone) -> {
            View screen = phone.activity().getWindow().getDecorView();
            assertEquals(scale, phone.activity().getResources().getConfiguration().fontScale, 0);
            seen[0] += inspect(name, screen, faults);
        });
        assertTrue("\n" + TextUtils.join("\n", faults), faults.isEmpty());
        assertTrue("looked at " + seen[0], seen[0] > 100);
    }

    /** How many views were looked at. */
    private static int inspect(String page, View view, List<String> faults) {
        if (!view.isShown()) {
            return 0;
        }
        String what = page + ": " + view.getClass().getSimpleName() + " "
                + (view instanceof TextView ? "'" + ((TextView) view).getText() + "'"
                        : view.getContentDescription());
        if (view.isClickable() && !(view instanceof AdapterView)) {
            float dp = view.getResources().getDisplayMetrics().density;
            if (view.getWidth() < TOUCH_DP * dp || view.getHeight() < TOUCH_DP * dp) {
                faults.add(what + " is " + view.getWidth() / dp + " x " + view.getHeight() / dp
                        + " dp");
            }
            boolean named = !TextUtils.isEmpty(view.getContentDescription())
                    || view instanceof TextView && (!TextUtils.isEmpty(((TextView) view).getText())
                            || !TextUtils.isEmpty(((TextView) view).getHint()));
            if (!named) {
                faults.add(what + " has no name");
            }
        }
        if (view instanceof TextView && !(view instanceof EditText)) {
            inspectText(what, (TextView) view, faults);
        }
        int count = 1;
        if (view instanceof ViewGroup) {
            for (int i = 0; i < ((ViewGroup) view).getChildCount(); i++) {
                count += inspect(page, ((ViewGroup) view).getChildAt(i), faults);
            }
        }
        return count;
    }

    /** Nothing is cut off but what may be: titles beyond some lines end in an ellipsis. */
    private static void inspectText(String what, TextView view, List<String> faults) {
        Layout layout = view.getLayout();
        if (layout == null || layout.getText().length() == 0) {
            return;
        }
        int room = view.getHeight() - view.getCompoundPaddingTop()
                - view.getCompoundPaddingBottom();
        if (layout.getHeight() > room + 2) {
            faults.add(what + " needs " + layout.getHeight() + " px, has " + room);
        }
        boolean mayEnd = view.getEllipsize() != null;
        int last = layout.getLineCount() - 1;
        if (!mayEnd && layout.getLineEnd(last) < layout.getText().length()) {
            faults.add(what + " is cut after " + layout.getLineEnd(last) + " characters");
        }
    }

    private static void checkContrast() {
        int[][] texts = {
            {R.color.ink, R.color.paper}, {R.color.ink, R.color.sheet},
            {R.color.ink, R.color.warning_soft}, {R.color.ink_soft, R.color.paper},
            {R.color.ink_soft, R.color.sheet}, {R.color.accent, R.color.paper},
            {R.color.accent, R.color.sheet}, {R.color.accent, R.color.accent_soft},
            {R.color.on_accent, R.color.accent}, {R.color.on_notice, R.color.notice},
            {R.color.notice_accent, R.color.notice},
        };
        Resources resources = RuntimeEnvironment.getApplication().getResources();
        for (int[] pair : texts) {
            checkContrast(resources, pair, CONTRAST);
        }
        checkContrast(resources, new int[] {R.color.edge, R.color.paper}, CONTRAST_OF_SHAPES);
    }

    private static void checkContrast(Resources resources, int[] pair, double least) {
        double one = luminance(resources.getColor(pair[0], null));
        double other = luminance(resources.getColor(pair[1], null));
        double contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        assertFalse(resources.getResourceEntryName(pair[0]) + " on "
                + resources.getResourceEntryName(pair[1]) + ": " + contrast, contrast < least);
    }

    private static double luminance(int color) {
        return android.graphics.Color.luminance(color);
    }
}
